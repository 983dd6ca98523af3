"""What `saecli import` reports."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ProofReport:
    """How far the imported dictionary is from its source's formula, on random patches.

    Differences are shares of the largest value (of 1 where that is larger).
    """

    n_patches: int
    latents: float
    reconstruction: float
    l0: float


@dataclass(frozen=True)
class SelfTestReport:
    """What the dictionary explains of the user's own pictures at the layer it is imported for.

    ``elsewhere`` is the explained variance at the neighbouring layers.
    """

    images: str
    n_images: int
    n_patches: int
    explained_variance: float
    l0: float
    dead_fraction: float
    elsewhere: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ImportReport:
    dictionary: str
    format: str
    source: str
    sha256: str
    backbone: str
    layer: int
    d_model: int
    n_latents: int
    activation: str
    k: int | None
    normalisation: str
    decoder_norms: list[float]
    proof: ProofReport | None
    self_test: SelfTestReport | None
    notes: list[str]
    warnings: list[str]
    catalog: str
