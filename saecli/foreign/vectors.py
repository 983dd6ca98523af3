"""Vectors and numbers that a user gives as files: `.npy`, `.safetensors`, or text, one a line."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from saecli.errors import SaecliError


def read_vector(path: Path) -> Tensor:
    """A vector (n,) float32.

    Raises:
        SaecliError: if the file can't be read, or holds no vector of finite numbers.
    """
    try:
        found = _read(path)
    except (OSError, ValueError, EOFError, SafetensorError) as error:
        raise SaecliError(
            f"'{path}' holds no vector that can be read", "give a .npy, .safetensors or text file"
        ) from error
    if found.ndim != 1 or not torch.isfinite(found).all():
        raise SaecliError(f"'{path}' holds no vector of finite numbers", "check the file")
    return found


def _read(path: Path) -> Tensor:
    if path.suffix == ".npy":
        array: np.ndarray = np.load(path, allow_pickle=False)
        return torch.from_numpy(array.astype(np.float32))
    if path.suffix == ".safetensors":
        tensors = list(load_file(path).values())
        if len(tensors) != 1:
            raise ValueError("not one tensor")
        vector: Tensor = tensors[0].float()
        return vector
    return torch.from_numpy(np.loadtxt(path, dtype=np.float32, ndmin=1))
