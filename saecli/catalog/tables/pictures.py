"""Pictures, and the sets that dictionaries are trained and profiled on."""

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded


class Image(Recorded, Base):
    """A picture, known by its bytes; ``path`` is where it was last seen."""

    __tablename__ = "image"
    __table_args__ = (CheckConstraint("width > 0 AND height > 0", name="size_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]
    width: Mapped[int]  # pixels, after EXIF orientation
    height: Mapped[int]


class Thumbnail(Base):
    """A small copy of a picture (WebP or JPEG), apart so that scans of `image` stay short."""

    __tablename__ = "thumbnail"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("image.id", ondelete="CASCADE"), primary_key=True
    )
    data: Mapped[bytes]


class ImageSet(Recorded, Base):
    """A named list of pictures. Other content under the same name is another set."""

    __tablename__ = "image_set"
    __table_args__ = (UniqueConstraint("name", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]  # as the user gave it
    root: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)  # SHA-256 over the pictures' hashes, in order
    n_images: Mapped[int]


class Member(Base):
    """A picture at its position in a set."""

    __tablename__ = "image_set_member"
    __table_args__ = ({"sqlite_with_rowid": False},)

    image_set_id: Mapped[int] = mapped_column(
        ForeignKey("image_set.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"), index=True)
    name: Mapped[str]  # relative to the set's root
    label: Mapped[str | None]  # the class, where the set has classes


class SkippedPicture(Base):
    """A file of a set that could not be read, and why."""

    __tablename__ = "skipped_picture"
    __table_args__ = ({"sqlite_with_rowid": False},)

    image_set_id: Mapped[int] = mapped_column(
        ForeignKey("image_set.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
