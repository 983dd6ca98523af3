"""What was seen and chosen: observations, selections of latents, matches between dictionaries."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded, now


class Observation(Recorded, Base):
    """What `inspect` saw: the latents that fired on some patches of a picture."""

    __tablename__ = "observation"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    dictionary_id: Mapped[int] = mapped_column(ForeignKey("dictionary.id"))
    patches: Mapped[list[Any]]
    created: Mapped[datetime] = mapped_column(default=now)


class ObservedLatent(Base):
    """A latent of an observation, strongest first; activation summed over the patches."""

    __tablename__ = "observed_latent"
    __table_args__ = ({"sqlite_with_rowid": False},)

    observation_id: Mapped[int] = mapped_column(
        ForeignKey("observation.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    latent_id: Mapped[int] = mapped_column(ForeignKey("latent.id"), index=True)
    activation: Mapped[float]


class Selection(Recorded, Base):
    """A ranking of latents on an image set; its pictures take no part in testing what it chose."""

    __tablename__ = "selection"
    __table_args__ = (CheckConstraint("kind IN ('detect', 'attribute')", name="kind_known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    dictionary_id: Mapped[int] = mapped_column(ForeignKey("dictionary.id"))
    image_set_id: Mapped[int] = mapped_column(ForeignKey("image_set.id"))
    probe_id: Mapped[int | None] = mapped_column(ForeignKey("probe.id"))
    class_name: Mapped[str]
    against: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(default=now)


class SelectedLatent(Base):
    """A latent that a selection ranked, with its figures (f1, auroc, attribution, …)."""

    __tablename__ = "selected_latent"
    __table_args__ = ({"sqlite_with_rowid": False},)

    selection_id: Mapped[int] = mapped_column(
        ForeignKey("selection.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    latent_id: Mapped[int] = mapped_column(ForeignKey("latent.id"), index=True)
    figures: Mapped[dict[str, Any]]


class Comparison(Recorded, Base):
    """A search for one latent's counterpart in another dictionary, and its answer."""

    __tablename__ = "comparison"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    latent_id: Mapped[int] = mapped_column(ForeignKey("latent.id"), index=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("dictionary.id"))
    image_set_id: Mapped[int] = mapped_column(ForeignKey("image_set.id"))
    method: Mapped[str]
    settings: Mapped[dict[str, Any]]
    counterpart_id: Mapped[int | None] = mapped_column(ForeignKey("latent.id"))
    reason: Mapped[str | None]  # why there is none
    untrained_score: Mapped[float | None]
    beyond_untrained: Mapped[bool | None]
    n_images: Mapped[int]
    n_active: Mapped[int]
    created: Mapped[datetime] = mapped_column(default=now)


class Match(Base):
    """A candidate of a comparison, best first."""

    __tablename__ = "match"
    __table_args__ = ({"sqlite_with_rowid": False},)

    comparison_id: Mapped[int] = mapped_column(
        ForeignKey("comparison.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    latent_id: Mapped[int] = mapped_column(ForeignKey("latent.id"))
    score: Mapped[float]
    ci_low: Mapped[float | None]
    ci_high: Mapped[float | None]
    p_value: Mapped[float | None]
