"""From patch activations to the positive latents of each patch, whatever the dictionary's kind."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saecli.errors import SaecliError
from saecli.sae.model import Dictionary

MOST_PREACTIVATIONS = 2**24
"""Bound on the encoder's output held at once, in numbers (64 MB in float32)."""
MOST_IMAGES = 64


@dataclass(frozen=True)
class Firings:
    """Every (image, patch, latent) of a group of images with f > 0, ordered by image, then patch.

    Attributes:
        images: (G,) int64, the group's image indices, ascending.
        n_patches: patches of each image.
        row: (E,) int64, which of the G images.
        patch: (E,) int64.
        latent: (E,) int64.
        value: (E,) float32, f in the SAE's units.
    """

    images: NDArray[np.int64]
    n_patches: int
    row: NDArray[np.int64]
    patch: NDArray[np.int64]
    latent: NDArray[np.int64]
    value: NDArray[np.float32]


def group_size(n_patches: int, n_latents: int) -> int:
    """How many images are encoded at once: it depends on shapes alone, never on the batches."""
    return max(1, min(MOST_IMAGES, MOST_PREACTIVATIONS // (n_patches * n_latents)))


def regroup(
    batches: Iterable[tuple[int, Tensor]], n_latents: int
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Cut a stream of batches anew into groups of ``group_size`` images.

    A matrix product's last bits depend on how many rows it has, so results are the same for every
    batch size only if the encoder always sees the same rows together.

    Args:
        batches: (index of the first image, (b, P, D)) with images in ascending order.
        n_latents: the dictionary's width.

    Raises:
        ValueError: if images do not ascend or the number of patches changes.
    """
    waiting: list[Tensor] = []
    indices: list[int] = []
    size, n_patches, following = 0, 0, 0
    for start, x in batches:
        if not size:
            n_patches = x.shape[1]
            size = group_size(n_patches, n_latents)
        if start < following or x.shape[1] != n_patches:
            raise ValueError("batches must hold ascending images of one grid")
        following = start + x.shape[0]
        indices += range(start, following)
        waiting.append(x)
        while len(indices) >= size:
            joined = torch.cat(waiting) if len(waiting) > 1 else waiting[0]
            yield np.array(indices[:size], dtype=np.int64), joined[:size]
            waiting, indices = [joined[size:]], indices[size:]
    if indices:
        yield np.array(indices, dtype=np.int64), torch.cat(waiting)


@torch.no_grad()
def encode_group(dictionary: Dictionary, images: NDArray[np.int64], x: Tensor) -> Firings:
    """Encode a group of images and keep what is positive.

    TopK dictionaries are read from their sparse code, so that no dense (patches, latents) array
    is built. A signed TopK dictionary's negative values are no activity: density is f > 0.

    Args:
        dictionary: the SAE.
        images: (G,) image indices.
        x: (G, P, D) activations in the backbone's units, any float dtype and device.

    Raises:
        SaecliError: if an activation is NaN or infinite.
    """
    finite = torch.isfinite(x).flatten(1).all(dim=1)
    if not bool(finite.all()):
        first = int(images[int((~finite).nonzero()[0, 0])])
        raise SaecliError(
            f"the backbone's activations of picture {first} aren't finite",
            "record them in float32 (`--precision float32`), or leave the picture out",
        )
    n_patches, n_latents = x.shape[1], dictionary.n_latents
    weights = dictionary.W_enc
    rows = x.to(device=weights.device, dtype=weights.dtype).flatten(0, 1)
    if dictionary.activation == "topk":
        values, latents = dictionary.encode_sparse(rows)
        kept = values > 0
        value, latent = values[kept], latents[kept]
        position = kept.nonzero()[:, 0]
    else:
        dense = dictionary.encode(rows).flatten()
        flat = (dense > 0).nonzero()[:, 0]
        value, latent = dense[flat], flat % n_latents
        position = torch.div(flat, n_latents, rounding_mode="floor")
    place = position.cpu().numpy()
    return Firings(
        images=images,
        n_patches=n_patches,
        row=place // n_patches,
        patch=place % n_patches,
        latent=latent.to(torch.int64).cpu().numpy(),
        value=value.float().cpu().numpy(),
    )
