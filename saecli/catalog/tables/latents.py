"""Latents, and what a profile over an image set says about each."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded, now


class Latent(Base):
    """One unit of a dictionary: what labels, matches and experiments point to."""

    __tablename__ = "latent"
    __table_args__ = (UniqueConstraint("dictionary_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dictionary_id: Mapped[int] = mapped_column(ForeignKey("dictionary.id", ondelete="CASCADE"))
    number: Mapped[int]  # its index in the dictionary


class Profile(Recorded, Base):
    """One pass of a dictionary over an image set; a draft (not published) is invisible."""

    __tablename__ = "profile"

    id: Mapped[int] = mapped_column(primary_key=True)
    dictionary_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary.id", ondelete="CASCADE"), index=True
    )
    image_set_id: Mapped[int] = mapped_column(ForeignKey("image_set.id"))
    published: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=now)
    n_images: Mapped[int]
    n_patches: Mapped[int]
    n_alive: Mapped[int]
    seconds: Mapped[float]
    settings: Mapped[dict[str, Any]]
    histogram_edges: Mapped[bytes]  # (bins + 1) float64, SAE units
    signature_positions: Mapped[bytes]  # (M,) int32: which members of the image set
    signature_id: Mapped[int] = mapped_column(ForeignKey("artifact.id"))  # (n_latents, M) float16


class LatentProfile(Base):
    """A latent's statistics over one profile's patches."""

    __tablename__ = "latent_profile"
    __table_args__ = ({"sqlite_with_rowid": False},)

    profile_id: Mapped[int] = mapped_column(
        ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    n_active: Mapped[int]  # patches with f > 0
    total: Mapped[float]  # sum of f over them
    maximum: Mapped[float]
    histogram: Mapped[bytes]  # (bins,) int64 counts, then JSON of more, zlib


class LatentExemplar(Base):
    """A picture on which a latent fires, in one of four kinds of choice, by rank.

    A near miss is one on which it doesn't, and came nearest. ``map`` holds the latent's activation
    on the picture's patches, sparse and in 8 bits.
    """

    __tablename__ = "exemplar"
    __table_args__ = (
        CheckConstraint("kind IN ('top', 'quantile', 'random', 'near_miss')", name="kind_known"),
        {"sqlite_with_rowid": False},
    )

    profile_id: Mapped[int] = mapped_column(
        ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    patch: Mapped[int]
    activation: Mapped[float]
    map: Mapped[bytes | None]
