"""What is reported of a run while it is under way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingPoint:
    """Means over the steps since the point before; ``dead_fraction`` is as of now.

    ``explained_variance`` is of training batches, against the variance of the first patches.
    """

    step: int
    patches_seen: int
    loss: float
    explained_variance: float
    l0: float
    dead_fraction: float
    patches_per_second: float
