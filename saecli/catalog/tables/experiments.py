"""Probes, hypotheses, and the experiments that test them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded, now


class Probe(Recorded, Base):
    """A head on one backbone's final output."""

    __tablename__ = "probe"
    __table_args__ = (
        CheckConstraint(
            "task IN ('classification', 'segmentation', 'zero_shot')", name="task_known"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    task: Mapped[str]
    classes: Mapped[list[Any]]
    backbone_id: Mapped[int] = mapped_column(ForeignKey("backbone.id"), index=True)
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifact.id"))
    settings: Mapped[dict[str, Any]]
    n_train: Mapped[int]
    n_test: Mapped[int]
    accuracy: Mapped[float | None]
    mean_iou: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)


class Hypothesis(Recorded, Base):
    """A prediction with its whole plan, committed before any experiment on it runs."""

    __tablename__ = "hypothesis"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    statement: Mapped[str]
    dictionary_id: Mapped[int] = mapped_column(ForeignKey("dictionary.id"))
    probe_id: Mapped[int] = mapped_column(ForeignKey("probe.id"))
    plan: Mapped[dict[str, Any]]  # class, expect, value, scope, images, controls, α, …
    plan_hash: Mapped[str]  # SHA-256 of the plan and what it names
    registered: Mapped[bool]  # else exploratory
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("hypothesis.id"))
    created: Mapped[datetime] = mapped_column(default=now)


class HypothesisLatent(Base):
    """A latent of the concept that a hypothesis is about."""

    __tablename__ = "hypothesis_latent"
    __table_args__ = ({"sqlite_with_rowid": False},)

    hypothesis_id: Mapped[int] = mapped_column(
        ForeignKey("hypothesis.id", ondelete="CASCADE"), primary_key=True
    )
    latent_id: Mapped[int] = mapped_column(ForeignKey("latent.id"), primary_key=True, index=True)


class Experiment(Recorded, Base):
    """One run of a hypothesis's plan; without a verdict it is unfinished and can be resumed."""

    __tablename__ = "experiment"
    __table_args__ = (
        CheckConstraint(
            "verdict IN ('supported', 'refuted', 'inconclusive')", name="verdict_known"
        ),
        CheckConstraint("(verdict IS NULL) = (report IS NULL)", name="published_whole"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    hypothesis_id: Mapped[int] = mapped_column(ForeignKey("hypothesis.id"), index=True)
    seed: Mapped[int]
    created: Mapped[datetime] = mapped_column(default=now)
    verdict: Mapped[str | None]
    effect: Mapped[float | None]  # nats
    ci_low: Mapped[float | None]
    ci_high: Mapped[float | None]
    p_value: Mapped[float | None]
    report: Mapped[dict[str, Any] | None]


class Arm(Base):
    """One edit that an experiment applies to every picture: the target, a control, the twin, …"""

    __tablename__ = "arm"
    __table_args__ = ({"sqlite_with_rowid": False},)

    experiment_id: Mapped[int] = mapped_column(
        ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    description: Mapped[dict[str, Any]]  # its latents, its seed, …


class Trial(Base):
    """What all arms did to one picture: an array over arms for each figure.

    A row is a picture rather than a picture and an arm: 200 pictures under 200 arms are 200
    compact rows, and a picture is what an interrupted run resumes at. ``figures`` is NULL until
    the picture has been run.
    """

    __tablename__ = "trial"
    __table_args__ = ({"sqlite_with_rowid": False},)

    experiment_id: Mapped[int] = mapped_column(
        ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    figures: Mapped[bytes | None]
