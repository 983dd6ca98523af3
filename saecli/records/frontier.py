"""What `list --frontier` reports: dictionaries by sparsity and what they explain."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FrontierDictionary:
    """``pareto``: no other of the group explains as much with as few active latents."""

    name: str
    n_latents: int
    objective: str
    l0: float
    explained_variance: float
    dead_fraction: float | None
    pareto: bool


@dataclass(frozen=True)
class FrontierGroup:
    """Dictionaries that can be compared: one backbone, layer and set of pictures."""

    backbone: str
    layer: int
    image_set: str | None
    untrained: bool
    dictionaries: list[FrontierDictionary]


@dataclass(frozen=True)
class FrontierReport:
    frontier: list[FrontierGroup]
    out: str | None
