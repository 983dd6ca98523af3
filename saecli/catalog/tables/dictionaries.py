"""Backbones, and the dictionaries trained on their activations."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded, now


class Backbone(Recorded, Base):
    """A frozen vision transformer, known by the digest of weights, configuration, transform."""

    __tablename__ = "backbone"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]  # as the user gave it
    family: Mapped[str]
    source: Mapped[str]  # the local folder, or the hub's name
    d_model: Mapped[int]
    n_blocks: Mapped[int]
    rows: Mapped[int]
    columns: Mapped[int]
    image_transform: Mapped[str]
    untrained: Mapped[bool]  # random weights: a control


class Dictionary(Recorded, Base):
    """One trained SAE with its identity. A draft (not published) is invisible to every command."""

    __tablename__ = "dictionary"
    __table_args__ = (
        UniqueConstraint("name", "published"),
        CheckConstraint("NOT published OR sha256 IS NOT NULL", name="published_whole"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    published: Mapped[bool] = mapped_column(default=False)
    sha256: Mapped[str | None] = mapped_column(unique=True)  # of the checkpoint: the identity
    checkpoint_id: Mapped[int | None] = mapped_column(ForeignKey("artifact.id"))
    backbone_id: Mapped[int] = mapped_column(ForeignKey("backbone.id"))
    layer: Mapped[int]
    tokens: Mapped[str]
    n_latents: Mapped[int]
    activation: Mapped[str]
    settings: Mapped[dict[str, Any]]
    image_set: Mapped[str | None]  # the name of what it was trained on
    untrained: Mapped[bool]
    created: Mapped[datetime] = mapped_column(default=now)
    explained_variance: Mapped[float | None]
    l0: Mapped[float | None]
    dead_fraction: Mapped[float | None]
    patches_seen: Mapped[int | None]
    seconds: Mapped[float | None]


class TrainingPoint(Base):
    """The state of a training run after ``step`` updates; ``figures`` holds numbers by name."""

    __tablename__ = "training_point"
    __table_args__ = ({"sqlite_with_rowid": False},)

    dictionary_id: Mapped[int] = mapped_column(
        ForeignKey("dictionary.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[int] = mapped_column(primary_key=True)
    patches_seen: Mapped[int]
    figures: Mapped[dict[str, Any]]
