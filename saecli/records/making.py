"""What the commands that make something report."""

from dataclasses import dataclass, field


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
    diverged: list[str] = field(default_factory=list)


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
class ProfilesReport:
    """Several dictionaries, profiled in one pass."""

    profiles: list[ProfileReport]


@dataclass(frozen=True)
class ProbeGridPoint:
    """One head that was tried: mean cross-entropy on the validation pictures, in nats."""

    learning_rate: float | None
    weight_decay: float
    validation_loss: float


@dataclass(frozen=True)
class ProbeReport:
    """A probe; solver, learning rate (AdamW) and weight decay are those of the head that is kept.

    A zero-shot probe has none of these.
    """

    name: str
    task: str
    classes: list[str]
    n_train: int
    n_test: int
    accuracy: float
    mean_iou: float | None
    solver: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    grid: list[ProbeGridPoint] = field(default_factory=list)


@dataclass(frozen=True)
class DefaultReport:
    default: str


@dataclass(frozen=True)
class ExportReport:
    """What was written of a dictionary; ``sha256`` is its identity, ``files`` are in a folder."""

    dictionary: str
    format: str
    out: str
    sha256: str
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DemoReport:
    out: str
    n: int
    seed: int
    counterfactual: dict[str, str]
