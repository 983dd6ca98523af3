"""What a probe is trained on: pictures split, labelled patches drawn, batches streamed.

Features may lie in a file that is mapped into memory: they are only ever read a few pictures at a
time, so that a segmentation head doesn't need all patches of a set at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Indices = npt.NDArray[np.int64]

GROUP = 131_072  # patches mixed in memory: 200 MB at 768 values of float16
PICTURES = 256  # read together where all are passed in order


def split(pictures: Indices, share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """(1 − share, share) of the pictures, ascending; at least one on each side."""
    order = rng.permutation(pictures)
    n = min(max(round(share * len(order)), 1), len(order) - 1)
    return np.sort(order[n:]), np.sort(order[:n])


def split_by_class(y: Indices, share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """As :func:`split`, within each class of y (negative: none), so that both sides hold all."""
    halves = [split(np.flatnonzero(y == c), share, rng) for c in np.unique(y[y >= 0])]
    return (
        np.sort(np.concatenate([first for first, _ in halves])),
        np.sort(np.concatenate([second for _, second in halves])),
    )


def member(chosen: Indices, n: int) -> npt.NDArray[np.bool_]:
    """(n,): whether each of 0 … n − 1 is among the chosen."""
    inside = np.zeros(n, dtype=bool)
    inside[chosen] = True
    return inside


def drawn_patches(
    y: Indices, pictures: Indices, most: int, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """(picture, patch) indices of at most ``most`` labelled patches, drawn evenly, in order.

    Args:
        y: (n_images, P), negative = unlabelled.
        pictures: of these.
    """
    row, patch = np.nonzero(y[pictures] >= 0)
    if len(row) > most:
        kept = np.sort(rng.choice(len(row), size=most, replace=False))
        row, patch = row[kept], patch[kept]
    return pictures[row], patch


def parts(pictures: Indices) -> Iterator[Indices]:
    """The pictures a few at a time, in order."""
    for start in range(0, len(pictures), PICTURES):
        yield pictures[start : start + PICTURES]


class Shuffled:
    """Random batches of labelled examples, pass after pass.

    Pictures are permuted, consecutive ones form a group in memory, and the labelled examples of a
    group are permuted: memory is that of a group however large the set.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Indices,
        pictures: Indices,
        seed: int,
        *,
        group: int = GROUP,
    ) -> None:
        """Read features (n_images, P, D) with labels (n_images, P), of some pictures only."""
        self._features, self._labels, self._pictures = features, labels, pictures
        self._rng = np.random.default_rng([seed, 5])
        self._per_group = max(1, group // features.shape[1])
        self._order = np.zeros(0, dtype=np.int64)
        self._x = torch.zeros(0, features.shape[2])
        self._y = torch.zeros(0, dtype=torch.int64)

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """The next n examples: (n, D) float32 and (n,) classes."""
        while len(self._y) < n:
            self._load()
        x, y = self._x[:n].float(), self._y[:n]
        self._x, self._y = self._x[n:], self._y[n:]
        return x, y

    def _load(self) -> None:
        if not len(self._order):
            self._order = self._rng.permutation(self._pictures)
        chosen, self._order = np.split(self._order, [self._per_group])
        chosen = np.sort(chosen)  # read in the order of the file
        y = self._labels[chosen]
        known = y >= 0
        mixed = torch.from_numpy(self._rng.permutation(int(known.sum())))
        x = self._features[torch.from_numpy(chosen)][torch.from_numpy(known)][mixed]
        self._x = torch.cat([self._x.to(x.dtype), x])
        self._y = torch.cat([self._y, torch.from_numpy(y[known])[mixed]])
