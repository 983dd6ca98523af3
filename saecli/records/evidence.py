"""What comparisons, detectors, attributions and experiments report."""

from dataclasses import dataclass, field
from typing import Any

from saecli.records.arms import ArmReport, DoseReport, FamilyPlace
from saecli.records.looking import MatchRow


@dataclass(frozen=True)
class SetReport:
    """Latents that together fire where the source does: a concept, in ``ref``.

    Chosen on one half of the pictures; all figures are of the other half, ``n_images`` of them.
    ``gain_ci`` is the interval of the set's lead over the first latent alone, null for a set of
    one.
    """

    ref: str
    score: float
    ci: list[float]
    single_score: float
    gain_ci: list[float] | None
    n_images: int


@dataclass(frozen=True)
class CompareReport:
    """``margin`` is the first match's r less the second's; ``set`` null unless asked for."""

    source: dict[str, str | None]
    target: str
    method: str
    matches: list[MatchRow]
    counterpart: str | None
    reason: str | None
    untrained_score: float | None
    beyond_untrained: bool | None
    n_images: int
    n_active: int
    untrained_ref: str | None = None  # the untrained twin's latent whose score that is
    margin: float | None = None
    set_: SetReport | None = None


@dataclass(frozen=True)
class Counterpart:
    """The best match of one latent of a dictionary; ``counterpart`` says if it passes the rule.

    ``untrained_score`` is the untrained twin's best, ``beyond_untrained`` of a counterpart alone.
    """

    ref: str
    label: str | None
    match: str
    score: float
    adjusted_p: float
    counterpart: bool
    reason: str | None
    untrained_score: float | None = None
    beyond_untrained: bool | None = None


@dataclass(frozen=True)
class OneWay:
    """A dictionary's latents looked for in another; those that fire on too few images left out.

    ``untrained`` is the name of the second one's untrained twin.
    """

    source: str
    target: str
    n_comparable: int
    n_found: int
    share: float | None
    n_beyond_untrained: int | None
    latents: list[Counterpart]
    method: str | None = None
    n_images: int | None = None
    untrained: str | None = None


@dataclass(frozen=True)
class DictionaryComparison:
    source: str
    target: str
    method: str
    image_set: str
    n_images: int
    forward: OneWay
    backward: OneWay


@dataclass(frozen=True)
class DetectedLatent:
    ref: str
    f1: float
    precision: float
    recall: float
    auroc: float
    threshold: float
    label: str | None


@dataclass(frozen=True)
class DetectReport:
    dictionary: str
    class_: str
    n_images: int
    n_positive: int
    n_negative: int
    latents: list[DetectedLatent]
    untrained_score: float | None = None
    beyond_untrained: bool | None = None
    untrained_ref: str | None = None


@dataclass(frozen=True)
class AttributedLatent:
    ref: str
    attribution: float
    twin_loss: float | None
    density: float | None
    label: str | None


@dataclass(frozen=True)
class AttributeReport:
    class_: str
    against: str | None
    n_images: int
    latents: list[AttributedLatent]


@dataclass(frozen=True)
class ClassProbability:
    class_: str
    probability: float


@dataclass(frozen=True)
class ControlReport:
    n: int
    mean: float
    sd: float
    max: float
    p_value: float
    flipped: dict[str, float | None]
    changed: dict[str, float | None] | None


@dataclass(frozen=True)
class KnockoutReport:
    experiment: int
    hypothesis: int
    registered: bool
    latents: list[str]
    value: str
    scope: str
    class_: str
    expect: str | None
    n_images: int
    n_excluded: int
    effect: float
    ci: list[float]
    p_value: float
    alpha: float
    smallest_effect: float
    seed: int
    flipped: dict[str, float | None]
    changed: dict[str, float | None] | None
    controls: dict[str, ControlReport]
    zero_edit: dict[str, float]
    ceiling: dict[str, Any] | None
    specificity: dict[str, Any]
    verdict: str
    before: list[ClassProbability]
    after: list[ClassProbability]
    arms: list[ArmReport] = field(default_factory=list)
    doses: list[DoseReport] | None = None
    family: FamilyPlace | None = None
    labels: dict[str, str] = field(default_factory=dict)
    replaces: int | None = None
    n_earlier: int = 0  # other hypotheses about the class judged on some of these pictures before
    n_excluded_by_group: int = 0  # of groups of which others helped to choose the latents
    flipped_ci: dict[str, list[float] | None] | None = None  # 95 % intervals of the shares
    changed_ci: dict[str, list[float] | None] | None = None
    excess_ci: list[float] | None = None  # of effect + δ, both from the same pictures, in nats
    tested_before: list[int] = field(default_factory=list)  # experiments, see HypothesisReport
    extras: dict[str, Any] = field(default_factory=dict)
