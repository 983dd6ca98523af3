"""Where to cut a batch's pre-activations so that a wanted number of them is kept."""

import torch
from torch import Tensor


def cut_of(values: Tensor, wanted: int) -> float:
    """The ``wanted``-th largest value, or the smallest positive where fewer are positive.

    Args:
        values: of any shape, float, no NaN.
        wanted: at least 1.

    Returns:
        Infinity where no value is positive.
    """
    above = values[values > 0]
    if len(above) > wanted:
        return float(torch.kthvalue(above, len(above) - wanted + 1).values)
    return float(above.min()) if len(above) else torch.inf
