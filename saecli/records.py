"""What the commands report: frozen dataclasses whose fields are the JSON keys.

``as_json`` turns one into plain values; a field's name differs from its key only where the key
is a Python keyword (``class_`` is ``class``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


def as_json(value: object) -> Any:
    """Plain JSON values of a record, recursively.

    Numbers that JSON can't hold (NaN, infinities) become null.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name.removesuffix("_"): as_json(getattr(value, f.name))
            for f in fields(value)
            if f.metadata.get("json", True)
        }
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


@dataclass(frozen=True)
class ImageRef:
    """A picture in the catalog; ``path`` is where it was last seen."""

    id: int | None
    path: str


@dataclass(frozen=True)
class Exemplar:
    """A picture that activates a latent, the patch where it does most, and how much (SAE units)."""

    image: ImageRef
    patch: int
    activation: float


@dataclass(frozen=True)
class TrainedDictionary:
    name: str
    explained_variance: float
    l0: float
    dead_fraction: float
    n_latents: int
    patches_seen: int
    seconds: float
    patches_per_second: float


@dataclass(frozen=True)
class TrainReport:
    dictionaries: list[TrainedDictionary]
    probes: list[str]
    skipped: list[str]
    catalog: str


@dataclass(frozen=True)
class ProfileReport:
    dictionary: str
    image_set: str
    n_images: int
    n_patches: int
    n_latents: int
    n_alive: int
    seconds: float
    skipped: list[str]


@dataclass(frozen=True)
class DictionaryRow:
    name: str
    backbone: str
    layer: int
    grid: list[int]
    d_model: int
    n_latents: int
    activation: str
    explained_variance: float | None
    l0: float | None
    dead_fraction: float | None
    untrained: bool
    default: bool


@dataclass(frozen=True)
class BackboneRow:
    name: str
    family: str
    source: str


@dataclass(frozen=True)
class ImageSetRow:
    name: str
    n_images: int
    n_skipped: int


@dataclass(frozen=True)
class ProbeRow:
    name: str
    backbone: str
    task: str
    classes: list[str]
    accuracy: float | None
    mean_iou: float | None


@dataclass(frozen=True)
class ProbeList:
    probes: list[ProbeRow]


@dataclass(frozen=True)
class ExperimentRow:
    number: int
    hypothesis: int
    verdict: str | None


@dataclass(frozen=True)
class CatalogList:
    dictionaries: list[DictionaryRow]
    backbones: list[BackboneRow]
    image_sets: list[ImageSetRow]
    probes: list[ProbeRow]
    experiments: list[ExperimentRow]


@dataclass(frozen=True)
class ProbeReport:
    name: str
    task: str
    classes: list[str]
    n_train: int
    n_test: int
    accuracy: float
    mean_iou: float | None


@dataclass(frozen=True)
class InspectedLatent:
    ref: str
    activation: float
    label: str | None
    density: float | None
    exemplars: list[Exemplar]


@dataclass(frozen=True)
class InspectReport:
    image: ImageRef
    dictionary: str
    patches: list[int]
    observation: int
    latents: list[InspectedLatent]
    grid: list[int]
    sheet: str | None


@dataclass(frozen=True)
class LabelRow:
    """One label in a latent's history; ``status`` is current, superseded, refuted or retired."""

    number: int
    text: str
    author: str
    created: datetime
    status: str
    note: str | None


@dataclass(frozen=True)
class MatchRow:
    ref: str
    score: float
    ci: list[float] | None
    p_value: float | None
    label: str | None
    exemplars: list[Exemplar]


@dataclass(frozen=True)
class ShowReport:
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
class SearchResult:
    ref: str
    label: str | None
    score: float
    exemplars: list[Exemplar]


@dataclass(frozen=True)
class SearchReport:
    query: str
    results: list[SearchResult]


@dataclass(frozen=True)
class CompareReport:
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


@dataclass(frozen=True)
class Counterpart:
    """The best match of one latent of a dictionary; ``counterpart`` says if it passes the rule."""

    ref: str
    label: str | None
    match: str
    score: float
    adjusted_p: float
    counterpart: bool
    reason: str | None


@dataclass(frozen=True)
class OneWay:
    """A dictionary's latents looked for in another; those that fire on too few images left out."""

    source: str
    target: str
    n_comparable: int
    n_found: int
    share: float | None
    n_beyond_untrained: int | None
    latents: list[Counterpart]


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
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DefaultReport:
    default: str


@dataclass(frozen=True)
class ExportReport:
    dictionary: str
    format: str
    out: str
    sha256: str


@dataclass(frozen=True)
class DemoReport:
    out: str
    n: int
    seed: int
    counterfactual: dict[str, str]
