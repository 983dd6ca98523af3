"""What stands on a report's page, as plain values: pictures as bytes, maps as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from saecli.grid import Grid
from saecli.records import ClassEffect, KnockoutReport, ShownArm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Source:
    """The command behind a figure: as it can be typed, when it ran, its seed."""

    what: str
    command: str
    started: datetime
    seed: int | None = None


@dataclass(frozen=True)
class Tile:
    """A picture as the backbone sees it, with where a latent fires on it.

    Attributes:
        picture: JPEG or WebP; None where the catalog keeps none.
        grid: the backbone's.
        map: (P,), activations, SAE units, or None.
        patch: the one where it fires most, or None.
        activation: there.
        name: of the picture.
    """

    picture: bytes | None
    grid: Grid
    map: "NDArray[np.floating[Any]] | None"
    patch: int | None
    activation: float | None
    name: str


@dataclass(frozen=True)
class Fact:
    """A name and a value; `code` values are set in a fixed width."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class LabelLine:
    """One label of the history."""

    text: str
    author: str
    created: datetime
    status: str
    confidence: float | None
    details: Sequence[str]  # note, evidence, how it ended
    source: Source


@dataclass(frozen=True)
class MatchLine:
    """A latent of another dictionary that fires alike, with its pictures."""

    ref: str
    label: str | None
    score: float
    ci: list[float] | None
    p_value: float | None
    counterpart: bool
    largest: float | None
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class MatchesPart:
    """A comparison: the latent's own pictures beside those of its matches."""

    target: str
    answer: str
    method: str
    n_images: int
    n_active: int
    untrained: str | None
    matches: Sequence[MatchLine]
    source: Source


@dataclass(frozen=True)
class EditedLatent:
    """A latent that an experiment edited."""

    ref: str
    label: str | None
    largest: float | None
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class TrialLine:
    """A picture of an experiment; margins in nats."""

    tile: Tile
    with_class: bool
    before: float
    after: float


@dataclass(frozen=True)
class ExperimentPart:
    """An experiment; ``report`` is None while it is unfinished."""

    number: int
    statement: str
    registered: bool
    tested_before: Sequence[int]  # the experiments that had tested its plan when it was stated
    hypothesis: int
    verdict: str | None
    report: KnockoutReport | None
    latents: Sequence[EditedLatent]
    arms: Sequence[ShownArm]
    trials: Sequence[TrialLine]
    n_trials: int
    plan: Sequence[Fact]
    sources: Sequence[Source]


@dataclass(frozen=True)
class LatentPart:
    """Everything about a latent."""

    ref: str
    label: str | None
    figures: Sequence[Fact]
    largest: float | None
    image_set: str | None
    histogram: dict[str, list[float]] | None
    enriched: Sequence[ClassEffect]
    tiles: dict[str, Sequence[Tile]]  # by heading
    labels: Sequence[LabelLine]
    matches: Sequence[MatchesPart]
    experiments: Sequence[ExperimentPart]
    elsewhere: Sequence[int]  # experiments that the page has in another place
    provenance: Sequence[Fact]
    sources: Sequence[Source]
    profiled: Source | None


@dataclass(frozen=True)
class Page:
    """One report."""

    title: str
    written: datetime
    command: str
    catalog: Sequence[Fact]
    latents: Sequence[LatentPart] = field(default_factory=list)
    experiments: Sequence[ExperimentPart] = field(default_factory=list)
