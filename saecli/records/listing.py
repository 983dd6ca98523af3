"""Rows of what the catalog holds."""

from dataclasses import dataclass, field


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
    """A finished experiment; not registered is exploratory.

    ``tested_before``: the experiments that had tested its plan before its hypothesis was stated.
    """

    number: int
    hypothesis: int
    verdict: str | None
    registered: bool
    tested_before: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class CatalogList:
    dictionaries: list[DictionaryRow]
    backbones: list[BackboneRow]
    image_sets: list[ImageSetRow]
    probes: list[ProbeRow]
    experiments: list[ExperimentRow]
