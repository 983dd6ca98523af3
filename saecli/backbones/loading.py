"""Opening a backbone by name, on a device, in a dtype."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from saecli.backbones.names import FAMILIES, parse_backbone
from saecli.backbones.protocol import Backbone
from saecli.errors import SaecliError, one_of

if TYPE_CHECKING:  # loading.py is imported by the package's door, which stays free of torch
    import torch

DTYPES = {
    "float32": "float32",
    "fp32": "float32",
    "float16": "float16",
    "fp16": "float16",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
}


class FamilyModule(Protocol):
    """What a family's module offers; registering it in ``names.FAMILIES`` is all it takes."""

    def load(
        self, source: str, *, name: str, device: torch.device, dtype: torch.dtype
    ) -> Backbone: ...

    def load_untrained(
        self, source: str, *, name: str, seed: int, device: torch.device, dtype: torch.dtype
    ) -> Backbone: ...


def load(
    name: str,
    *,
    device: str = "auto",
    dtype: str | None = "float32",
    built_in: Mapping[str, str] | None = None,
) -> Backbone:
    """Open a backbone, frozen and in evaluation mode.

    Args:
        name: `clip:ARCH/PRETRAINED`, `clip:FOLDER`, `clip:hf-hub:ORG/NAME`, `dinov2:FOLDER`,
            `dinov2:ORG/NAME`, or a key of ``built_in``.
        device: see ``resolve_device``.
        dtype: `float32`, `float16` or `bfloat16` (or fp32, fp16, bf16); None is float32. The
            digest is taken in float32 before the weights are cast.
        built_in: short names and the full names (`clip:FOLDER`) that they stand for.

    Raises:
        SaecliError: if the name, device or dtype is wrong, or the model can't be loaded as the
            one that was trained.
    """
    found = parse_backbone(name, built_in)
    return _module(found.family).load(
        found.source,
        name=name,
        device=_device(device),
        dtype=_dtype(dtype),
    )


def load_untrained(
    name: str,
    seed: int,
    *,
    device: str = "auto",
    dtype: str | None = "float32",
    built_in: Mapping[str, str] | None = None,
) -> Backbone:
    """The same configuration and image transform with fresh weights, for control.

    The weights are drawn on the CPU by the library's own initialisation under ``seed``, so they
    don't depend on the device; the digest differs from the trained backbone's.

    Raises:
        SaecliError: as ``load``; the model's weights need not be there.
    """
    found = parse_backbone(name, built_in)
    return _module(found.family).load_untrained(
        found.source,
        name=name,
        seed=seed,
        device=_device(device),
        dtype=_dtype(dtype),
    )


def resolve_layer(layer: int, n_blocks: int) -> int:
    """A 0-based block from an index that may count from the end.

    Raises:
        SaecliError: if there is no such block.
    """
    if not -n_blocks <= layer < n_blocks:
        raise SaecliError(
            f"there is no layer {layer} in a backbone of {n_blocks} blocks",
            f"give one from 0 to {n_blocks - 1}, or from -1 (the last) to -{n_blocks}",
            usage=True,
        )
    return layer % n_blocks


def resolve_device(device: str) -> str:
    """The device to use: `auto` takes cuda, else mps, else cpu; otherwise the one named.

    Raises:
        SaecliError: if the device named is unknown or not available here.
    """
    import torch

    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        cuda = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        available = cuda + available
    if device == "auto":
        return available[0]
    if device not in available:
        known = re.fullmatch(r"cuda(:\d+)?|mps", device)
        raise SaecliError(
            f"the device '{device}' isn't available" if known else f"'{device}' is no device",
            f"give auto or {' or '.join(available)}",
            usage=True,
        )
    return device


def _device(device: str) -> torch.device:
    import torch

    return torch.device(resolve_device(device))


def _dtype(dtype: str | None) -> torch.dtype:
    import torch

    if dtype is None:
        return torch.float32
    if dtype not in DTYPES:
        raise SaecliError(
            f"'{dtype}' is no precision for a backbone", f"give {one_of(DTYPES, dtype)}", usage=True
        )
    return cast("torch.dtype", getattr(torch, DTYPES[dtype]))


def _module(family: str) -> FamilyModule:
    return cast(FamilyModule, import_module(FAMILIES[family].module))
