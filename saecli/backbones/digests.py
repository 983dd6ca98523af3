"""One hash that stands for a backbone: its weights, configuration and image transform."""

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor


def digest(
    weights: Mapping[str, Tensor], configuration: Mapping[str, object], image_transform: str
) -> str:
    """SHA-256, in hexadecimal, over everything that a recorded activation depends on.

    Hashed are the canonical JSON of the configuration, the image transform's description, and of
    each weight, by name, its shape and its values as little-endian float32. The same model gives
    the same digest from a float16 or float32 file, on any device, in any process.

    Args:
        weights: the vision tower's alone; a text tower doesn't change activations.
        configuration: what the weights' shapes don't tell (heads, activation function, ε, …).
        image_transform: ``ImageTransform.describe()``.
    """
    hasher = hashlib.sha256()
    hasher.update(json.dumps(configuration, sort_keys=True, separators=(",", ":")).encode())
    hasher.update(f"\n{image_transform}\n".encode())
    for name in sorted(weights):
        values = weights[name].detach().to("cpu", torch.float32).contiguous().numpy()
        hasher.update(f"{name} {list(values.shape)}\n".encode())
        hasher.update(values.astype("<f4", copy=False).data)
    return hasher.hexdigest()
