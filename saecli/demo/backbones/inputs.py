"""Pictures as the two backbones take them; their folders state the same numbers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


def to_input(pixels: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32, normalised with `MEAN` and `STD`."""
    images = torch.tensor(pixels).permute(0, 3, 1, 2).float().div_(255)
    return images.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(STD)[:, None, None])
