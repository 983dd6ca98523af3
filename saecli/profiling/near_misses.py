"""Near misses: the pictures on which a latent came nearest to firing, and did not.

Top exemplars alone make every latent look clean. A near miss of a latent is a picture on none of
whose patches it fires, at the patch whose activation x is the most similar to what the latent
looks for: similarity is the pre-activation z(x)·W_enc[:, l] + b_enc[l], the inner product in
activation space by which the dictionary itself compares them.

The encoder has computed all pre-activations already, so that one pass over any number of images
finds them, in memory of n entries a latent. With a product in bf16 the ranking is that of the
rounded pre-activations.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saecli.profiling.exemplars import Chosen
from saecli.profiling.statistics import Peaks


class NearMisses:
    """The n largest pre-activations of each latent over the pictures on which it is silent.

    By value descending, ties by lower image; of a picture's patches the first that reaches it.

    Args:
        n_latents: S.
        n: pictures of each latent.
    """

    def __init__(self, n_latents: int, n: int) -> None:
        self._value = np.full((n_latents, n), -np.inf, dtype=np.float32)
        self._image = np.full((n_latents, n), -1, dtype=np.int32)
        self._patch = np.full((n_latents, n), -1, dtype=np.int32)

    def add(self, images: NDArray[np.int64], a: Tensor, peaks: Peaks) -> None:
        """Take in a group of images; groups come in image order.

        Args:
            images: (G,) ascending.
            a: (G, P, S) pre-activations.
            peaks: of these images' activations.
        """
        n = self._value.shape[1]
        if n == 0:
            return
        blocks = _block_maxima(a)
        best = blocks.amax(dim=1).float().cpu().numpy()
        best.ravel()[peaks.cell] = -np.inf
        row, latent = np.nonzero(best > self._value[:, -1])
        order = np.lexsort((row, -best[row, latent], latent))
        row, latent = row[order], latent[order]
        first = np.flatnonzero(np.diff(latent, prepend=-1))
        place = np.arange(len(latent)) - np.repeat(first, np.diff(first, append=len(latent)))
        taken = place < n
        row, latent, place = row[taken], latent[taken], place[taken]
        if not len(row):
            return
        touched, at = np.unique(latent, return_inverse=True)
        new = NearMisses(len(touched), n)
        new._value[at, place] = best[row, latent]
        new._image[at, place] = images[row]
        new._patch[at, place] = _first_patch(a, blocks, row, latent)
        self._merge(touched, new)

    def join(self, later: "NearMisses") -> None:
        """Take in what was found on later images."""
        self._merge(np.arange(len(self._value)), later)

    def _merge(self, latents: NDArray[np.int64], later: "NearMisses") -> None:
        """Put later images' (T, n) beside those of some latents, and keep the best n."""
        n = self._value.shape[1]
        value = np.concatenate([self._value[latents], later._value], axis=1)
        order = np.argsort(-value, axis=1, kind="stable")[:, :n]  # earlier images stand first
        self._value[latents] = np.take_along_axis(value, order, axis=1)
        for mine, theirs in ((self._image, later._image), (self._patch, later._patch)):
            both = np.concatenate([mine[latents], theirs], axis=1)
            mine[latents] = np.take_along_axis(both, order, axis=1)

    def finish(self, fires: NDArray[np.bool_]) -> Chosen:
        """The pictures and patches (S, n); none of latents that never fire (S,).

        The activation is 0, as it is there.
        """
        image, patch = self._image.copy(), self._patch.copy()
        image[~fires], patch[~fires] = -1, -1
        return Chosen(image, patch, np.zeros_like(self._value))

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was found so far, by name."""
        return {"value": self._value, "image": self._image, "patch": self._patch}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._value[:] = state["value"]
        self._image[:] = state["image"]
        self._patch[:] = state["patch"]


def _block_maxima(a: Tensor) -> Tensor:
    """(G, B, S): maxima over runs of about √P patches, so that a patch is found in two steps."""
    size = _block(a.shape[1])
    whole = a.shape[1] // size * size
    maxima = a[:, :whole].view(len(a), -1, size, a.shape[2]).amax(dim=2)
    if whole == a.shape[1]:
        return maxima
    rest = a[:, whole:].amax(dim=1, keepdim=True)
    return torch.cat([maxima, rest], dim=1)


def _block(n_patches: int) -> int:
    return math.ceil(math.sqrt(n_patches))


def _first_patch(
    a: Tensor, blocks: Tensor, row: NDArray[np.int64], latent: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The first patch of each (image, latent) that reaches its largest pre-activation."""
    size = _block(a.shape[1])
    rows = torch.from_numpy(row).to(a.device)
    latents = torch.from_numpy(latent).to(a.device)
    block = blocks[rows, :, latents].float().argmax(dim=1)
    patch = block[:, None] * size + torch.arange(size, device=a.device)
    beyond = patch >= a.shape[1]
    values = a[rows[:, None], patch.clamp(max=a.shape[1] - 1), latents[:, None]].float()
    values[beyond] = -torch.inf
    found: NDArray[np.int64] = (block * size + values.argmax(dim=1)).cpu().numpy()
    return found
