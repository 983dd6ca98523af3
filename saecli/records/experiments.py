"""What the commands report that state hypotheses and look at the experiments on them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from saecli.records.values import ImageRef


@dataclass(frozen=True)
class HypothesisReport:
    """A hypothesis as it was stated; ``replaces`` is the one of the same claim that it mends.

    ``n_excluded`` pictures helped to choose the latents, ``n_excluded_by_group`` others are of a
    group of which one did. ``tested_before`` are the experiments that tested this very plan under
    another hypothesis before this one was stated: then it predicts nothing.
    """

    number: int
    hash: str
    statement: str
    registered: bool
    replaces: int | None
    latents: list[str]
    n_images: int
    n_excluded: int
    n_excluded_by_group: int = 0
    tested_before: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class StatedFamily:
    """The hypotheses of a plan file, committed together."""

    plan: str
    hypotheses: list[HypothesisReport]


@dataclass(frozen=True)
class HypothesisRow:
    number: int
    statement: str
    registered: bool
    replaces: int | None
    latents: list[str]
    labels: dict[str, str]
    class_: str | None
    expect: str | None
    created: datetime
    verdicts: dict[int, str | None]  # of its experiments; None: unfinished
    tested_before: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class HypothesisList:
    hypotheses: list[HypothesisRow]


@dataclass(frozen=True)
class ExperimentSummary:
    """A finished experiment on one line.

    ``rerun_of`` is the one that it ran again, if any; ``replaces`` the hypothesis that its own
    mends; ``holm_p`` the adjusted p-value that decided where others were tested with it.
    """

    number: int
    hypothesis: int
    registered: bool
    verdict: str
    latents: list[str]
    labels: dict[str, str]
    class_: str | None
    expect: str | None
    value: str | None
    n_images: int | None
    effect: float
    ci: list[float]
    p_value: float
    rerun_of: int | None
    created: datetime
    replaces: int | None = None
    holm_p: float | None = None
    tested_before: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class ExperimentList:
    experiments: list[ExperimentSummary]


@dataclass(frozen=True)
class ShowHypothesisReport:
    """Everything that is known of a hypothesis."""

    number: int
    hash: str
    statement: str
    registered: bool
    replaces: int | None
    replaced_by: list[int]
    latents: list[str]
    labels: dict[str, str]
    probe: str
    plan: dict[str, Any]
    created: datetime
    command: str
    experiments: list[ExperimentSummary]
    unfinished: list[int]
    tested_before: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class ShownArm:
    """An edit that every picture had; the effect is its mean over the pictures, in nats."""

    kind: str
    number: int
    description: dict[str, Any]
    effect: float | None


@dataclass(frozen=True)
class ShownTrial:
    """A picture of an experiment; margins in nats, None where it wasn't run."""

    image: ImageRef
    with_class: bool | None
    before: float | None
    after: float | None


@dataclass(frozen=True)
class ShowExperimentReport:
    """Everything that is known of an experiment; verdict and report are None if unfinished."""

    number: int
    hypothesis: HypothesisRow
    hash: str
    plan: dict[str, Any]
    seed: int
    created: datetime
    command: str
    verdict: str | None
    report: dict[str, Any] | None
    arms: list[ShownArm]
    trials: list[ShownTrial]
    rerun_of: int | None
    reruns: list[int]


@dataclass(frozen=True)
class Difference:
    """A figure that an experiment run again gave otherwise.

    Of a picture, ``n_values`` of the figure's numbers differ, the most under ``arm``, whose are
    ``stored`` and ``now``; without a picture the figure is the report's.
    """

    figure: str
    image: ImageRef | None
    arm: str | None
    n_values: int
    stored: Any
    now: Any


@dataclass(frozen=True)
class RerunReport:
    """Whether an experiment, run again as experiment ``rerun``, gave the same figures."""

    experiment: int
    rerun: int
    identical: bool
    verdict: str
    n_images: int
    n_arms: int
    differences: list[Difference] = field(default_factory=list)
