"""A dictionary's decoder, read without torch: what `similar` needs of a checkpoint."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load


def decoder_rows(checkpoint: bytes) -> NDArray[np.float32]:
    """(n_latents, d_model) float32, ``W_dec`` of a safetensors checkpoint of saecli's own form."""
    tensors: dict[str, NDArray[Any]] = load(checkpoint)
    return tensors["W_dec"].astype(np.float32, copy=False)
