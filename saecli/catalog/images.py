"""Pictures in the catalog, known by their bytes, and the sets they belong to."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from saecli.catalog.opening import Catalog, catalog_of, missing
from saecli.catalog.queries import chunks, insert_rows
from saecli.catalog.tables import Image, ImageSet, Member, SkippedPicture, Thumbnail
from saecli.errors import SaecliError, one_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 2000  # pictures per transaction: about 10 MB with thumbnails, a fraction of a second


@dataclass(frozen=True)
class Picture:
    """A picture to keep; width and height are in pixels after EXIF orientation."""

    name: str  # relative to the set's root
    path: str
    sha256: str
    width: int
    height: int
    label: str | None = None  # its class, where the set has classes
    thumbnail: bytes | None = None  # WebP or JPEG


@dataclass(frozen=True)
class ImageInfo:
    """A kept picture; ``path`` is where it was last seen."""

    id: int
    sha256: str
    path: str
    width: int
    height: int


@dataclass(frozen=True)
class ImageSetInfo:
    """A kept set; ``digest`` tells whether two sets hold the same pictures in the same order."""

    id: int
    name: str
    root: str
    digest: str
    n_images: int
    n_skipped: int


@dataclass(frozen=True)
class SetMember:
    """A picture at its position in a set."""

    position: int
    image_id: int
    name: str
    path: str
    label: str | None


def add_image(session: Session, invocation: int, picture: Picture) -> int:
    """Keep one picture and return its number; a known one gets the path given last."""
    return _add_images(session, invocation, [picture])[picture.sha256]


def record_image_set(
    catalog: Catalog,
    invocation: int,
    *,
    name: str,
    root: str | Path,
    pictures: Sequence[Picture],
    skipped: Iterable[tuple[str, str]] = (),
) -> ImageSetInfo:
    """Keep a set: pictures in short transactions, the set itself in one at the end.

    The same pictures under the same name are one set, however often it is recorded.

    Args:
        catalog: open for writing.
        invocation: the command's number.
        name: of the set, as the user gave it.
        root: the folder that names are relative to.
        pictures: in order; their index is the position that profiles speak of.
        skipped: (name, reason) of files that could not be read.
    """
    digest = hashlib.sha256("\n".join(p.sha256 for p in pictures).encode()).hexdigest()
    ids: dict[str, int] = {}
    for start in range(0, len(pictures), BATCH):
        with catalog.writing() as session:
            ids |= _add_images(session, invocation, pictures[start : start + BATCH])
    with catalog.writing() as session:
        row = session.scalar(
            select(ImageSet).where(ImageSet.name == name, ImageSet.digest == digest)
        )
        if row is None:
            row = ImageSet(
                name=name,
                root=str(root),
                digest=digest,
                n_images=len(pictures),
                invocation_id=invocation,
            )
            session.add(row)
            session.flush()
            insert_rows(
                session,
                Member,
                [
                    {
                        "image_set_id": row.id,
                        "position": position,
                        "image_id": ids[picture.sha256],
                        "name": picture.name,
                        "label": picture.label,
                    }
                    for position, picture in enumerate(pictures)
                ],
            )
            insert_rows(
                session,
                SkippedPicture,
                [
                    {"image_set_id": row.id, "name": name, "reason": reason}
                    for name, reason in dict(skipped).items()
                ],
            )
        return _set_info(session, row)


def find_image_set(session: Session, name: str) -> ImageSetInfo | None:
    """The newest set of a name, or None."""
    row = session.scalar(select(ImageSet).where(ImageSet.name == name).order_by(ImageSet.id.desc()))
    return None if row is None else _set_info(session, row)


def get_image_set(session: Session, name: str) -> ImageSetInfo:
    """The newest set of a name.

    Raises:
        SaecliError: if there is none, with the names that there are.
    """
    found = find_image_set(session, name)
    if found is None:
        names = list(session.scalars(select(ImageSet.name)))
        raise missing(
            session,
            "image set",
            name,
            one_of(names, name),
            "name one of these, or profile it with saecli profile --images",
        )
    return found


def image_set_by_id(session: Session, image_set_id: int) -> ImageSetInfo:
    """The set of a row's number."""
    return _set_info(session, session.get_one(ImageSet, image_set_id))


def image_sets(session: Session) -> list[ImageSetInfo]:
    """The newest set of each name, in the order they were first recorded."""
    newest = select(func.max(ImageSet.id)).group_by(ImageSet.name)
    rows = session.scalars(select(ImageSet).where(ImageSet.id.in_(newest)).order_by(ImageSet.id))
    return [_set_info(session, row) for row in rows.all()]


def image_ids(session: Session, image_set: ImageSetInfo) -> "NDArray[np.int64]":
    """The pictures' numbers by position, (n_images,) int64."""
    import numpy as np

    found = session.scalars(
        select(Member.image_id).where(Member.image_set_id == image_set.id).order_by(Member.position)
    )
    return np.fromiter(found, np.int64, count=image_set.n_images)


def members(session: Session, image_set: ImageSetInfo) -> list[SetMember]:
    """The pictures of a set by position."""
    rows = session.execute(
        select(Member.position, Member.image_id, Member.name, Image.path, Member.label)
        .join(Image, Member.image_id == Image.id)
        .where(Member.image_set_id == image_set.id)
        .order_by(Member.position)
    )
    return [SetMember(*row) for row in rows]


def skipped(session: Session, image_set: ImageSetInfo) -> list[tuple[str, str]]:
    """(name, reason) of the set's files that could not be read."""
    rows = session.execute(
        select(SkippedPicture.name, SkippedPicture.reason)
        .where(SkippedPicture.image_set_id == image_set.id)
        .order_by(SkippedPicture.name)
    )
    return [(name, reason) for name, reason in rows]


def find_image(session: Session, sha256: str) -> ImageInfo | None:
    """The picture with these bytes, or None."""
    row = session.scalar(select(Image).where(Image.sha256 == sha256))
    return None if row is None else _image_info(row)


def get_image(session: Session, image_id: int) -> ImageInfo:
    """The picture of a number.

    Raises:
        SaecliError: if there is none.
    """
    row = session.get(Image, image_id)
    if row is None:
        raise SaecliError(
            f"no picture {image_id} in {catalog_of(session).name}", "give the number of one it has"
        )
    return _image_info(row)


def thumbnails(session: Session, ids: Iterable[int]) -> dict[int, bytes]:
    """The thumbnails of pictures by number; those without one are left out."""
    found: dict[int, bytes] = {}
    for chunk in chunks(ids):
        rows = session.execute(
            select(Thumbnail.image_id, Thumbnail.data).where(Thumbnail.image_id.in_(chunk))
        )
        found.update((image_id, data) for image_id, data in rows)
    return found


def _add_images(session: Session, invocation: int, pictures: Sequence[Picture]) -> dict[str, int]:
    rows = [
        {
            "sha256": picture.sha256,
            "path": picture.path,
            "width": picture.width,
            "height": picture.height,
            "invocation_id": invocation,
        }
        for picture in pictures
    ]
    adding = insert(Image)
    session.execute(
        adding.on_conflict_do_update(
            index_elements=[Image.sha256], set_={"path": adding.excluded.path}
        ),
        rows,
    )
    ids: dict[str, int] = {}
    for chunk in chunks(picture.sha256 for picture in pictures):
        found = session.execute(select(Image.sha256, Image.id).where(Image.sha256.in_(chunk)))
        ids.update((sha256, image_id) for sha256, image_id in found)
    small = [
        {"image_id": ids[picture.sha256], "data": picture.thumbnail}
        for picture in pictures
        if picture.thumbnail is not None
    ]
    if small:
        session.execute(insert(Thumbnail).on_conflict_do_nothing(), small)
    return ids


def _image_info(row: Image) -> ImageInfo:
    return ImageInfo(row.id, row.sha256, row.path, row.width, row.height)


def _set_info(session: Session, row: ImageSet) -> ImageSetInfo:
    n_skipped = session.scalar(
        select(func.count())
        .select_from(SkippedPicture)
        .where(SkippedPicture.image_set_id == row.id)
    )
    return ImageSetInfo(row.id, row.name, row.root, row.digest, row.n_images, n_skipped or 0)
