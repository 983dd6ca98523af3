"""What the commands that look at latents report."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from saecli.records.listing import DictionaryRow, ExperimentRow
from saecli.records.values import Exemplar, ImageRef


@dataclass(frozen=True)
class InspectedLatent:
    """A latent of a picture.

    With ``--explain``, ``attribution`` is the change of the class's margin predicted for setting
    the latent to 0 (nats), ``effect`` the change when that is done; null otherwise.
    """

    ref: str
    activation: float
    label: str | None
    density: float | None
    exemplars: list[Exemplar]
    attribution: float | None = None
    effect: float | None = None


@dataclass(frozen=True)
class ExplanationReport:
    """What a prediction for one picture rests on.

    ``rank_correlation`` is Spearman's between attribution and effect over the ``n_checked``
    latents that were really knocked out, of ``n_active``; ``strongest`` is the one of them that
    lowered the margin most, and ``strongest_rank`` its rank by attribution, from 1; ``grad_cam``
    has a value per patch, the largest 1; ``next_command`` tests the strongest on other pictures.
    """

    probe: str
    class_: str
    against: str | None
    probability: float
    margin: float
    n_active: int
    n_checked: int
    rank_correlation: float | None
    strongest: str | None
    strongest_rank: int | None
    grad_cam: list[float]
    next_command: str | None = None


@dataclass(frozen=True)
class InspectReport:
    image: ImageRef
    dictionary: str
    patches: list[int]
    observation: int
    latents: list[InspectedLatent]
    grid: list[int]
    sheet: str | None
    explanation: ExplanationReport | None = None


@dataclass(frozen=True)
class LabelRow:
    """One label in a latent's history; ``status`` is current, superseded, refuted or retired.

    ``kind`` is `person` or `labeller`; ``supersedes`` and ``superseded_by`` are labels' numbers,
    ``refuted_by`` an experiment's; ``evidence`` names what it rests on by UUID or digest,
    ``rests_on`` the records among it as this catalog numbers them; ``score`` is the newest.
    """

    number: int
    text: str
    author: str
    created: datetime
    status: str
    note: str | None
    kind: str = "person"
    confidence: float | None = None
    evidence: dict[str, Any] | None = None
    rests_on: list[str] = field(default_factory=list)
    supersedes: int | None = None
    superseded_by: int | None = None
    refuted_by: int | None = None
    closing_note: str | None = None
    score: dict[str, Any] | None = None


@dataclass(frozen=True)
class MatchRow:
    """A latent that fires alike; whether it is the counterpart, and why there is none."""

    ref: str
    score: float
    ci: list[float] | None
    p_value: float | None
    label: str | None
    exemplars: list[Exemplar]
    counterpart: bool | None = None
    reason: str | None = None
    reciprocal_rank: float | None = None  # of the source among its own, by r with this latent


@dataclass(frozen=True)
class TogetherLatent:
    """A latent that fires on the same patches.

    ``share``: of the patches on which either fires, those on which both do.
    """

    ref: str
    label: str | None
    share: float


@dataclass(frozen=True)
class ClassEffect:
    """A class on whose pictures a latent fires more often than on others.

    ``log2_odds_ratio`` with its 95 % interval; ``q`` is Fisher's one-sided p, adjusted over all
    latents and classes.
    """

    class_: str
    log2_odds_ratio: float
    ci: list[float]
    q: float


@dataclass(frozen=True)
class ShowReport:
    """Everything about a latent; what a profile doesn't say is null.

    ``monosemanticity`` is Pach et al. 2025's score: how alike the pictures are on which it fires,
    at most 1. ``together`` was counted on ``n_together`` pictures.
    """

    ref: str
    label: str | None
    labels: list[LabelRow]
    density: float | None
    mean_activation: float | None
    max_activation: float | None
    image_set: str | None
    histogram: dict[str, list[float]] | None
    exemplars: list[Exemplar]
    quantiles: list[Exemplar]
    random_actives: list[Exemplar]
    matches: list[MatchRow]
    experiments: list[ExperimentRow]
    near_misses: list[Exemplar] = field(default_factory=list)
    monosemanticity: float | None = None
    together: list[TogetherLatent] | None = None
    n_together: int | None = None
    enriched: list[ClassEffect] | None = None


@dataclass(frozen=True)
class ShownLatent:
    ref: str
    label: str | None
    density: float
    mean_activation: float
    max_activation: float


@dataclass(frozen=True)
class ShowDictionaryReport:
    dictionary: DictionaryRow
    latents: list[ShownLatent]
    n_dead: int
    sort: str
    training: list[dict[str, float]]
    command: str | None


@dataclass(frozen=True)
class LabelReport:
    ref: str
    label: str
    number: int


@dataclass(frozen=True)
class EndedLabelReport:
    """The label that was retired, or that an experiment refuted (then with its verdict)."""

    ref: str
    label: str
    number: int
    status: str
    experiment: int | None
    verdict: str | None


@dataclass(frozen=True)
class SearchResult:
    """A label that was found; ``kind`` is `person` or `labeller`."""

    ref: str
    label: str | None
    score: float
    exemplars: list[Exemplar]
    kind: str = "person"


@dataclass(frozen=True)
class SearchReport:
    query: str
    results: list[SearchResult]
