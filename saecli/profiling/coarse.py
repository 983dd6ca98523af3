"""Coarse maps: each latent's activation on a grid that all backbones share, picture by picture.

An image-level maximum says that a latent fires somewhere; of two dictionaries' latents that fire on
much the same pictures it can't tell which fires at the same place. Grids differ between backbones,
so patches are averaged over the cells of one small grid. Sparse: most latents are silent in most
cells.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saecli.grid import CoarseMaps
from saecli.profiling.encoding import Firings
from saecli.profiling.signatures import LARGEST_HALF, smallest

MOST_ENTRIES = 2**24
"""Entries that are kept (4 bytes each): of 24,000 latents with 400 active those of 400 images."""
_FEWEST = 64


@dataclass(frozen=True)
class _Picture:
    """One picture's entries, by latent, then cell."""

    latent: NDArray[np.int32]
    cell: NDArray[np.int32]
    value: NDArray[np.float16]


class CoarseGathering:
    """Coarse maps on the signature's images, gathered while the number of images is unknown.

    Where they would take more than ``most_entries``, the number of images is halved, as often as
    it takes: those with the smallest hashes stay, so that of two dictionaries' images one's are
    among the other's.

    Args:
        n_latents: S.
        grid: (rows, columns) of the patches.
        size: most images, as of the signature.
        side: rows and columns of the coarse grid.
        seed: of the draw of images.
        most_entries: bound on the memory.
    """

    def __init__(
        self,
        n_latents: int,
        grid: tuple[int, int],
        size: int,
        side: int,
        seed: int,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        self._n_latents = n_latents
        self._side = side
        self._cell = cells(grid, side)
        self._weight = 1 / np.bincount(self._cell, minlength=side**2).clip(1)
        self._size = size
        self._seed = seed
        self._most = most_entries
        self._pictures: dict[int, _Picture] = {}

    def add(self, firings: Firings) -> None:
        """Take in a group of images; groups come in image order."""
        self._keep(np.concatenate([self._held, firings.images]))
        self._take(self._split(firings))

    def join(self, later: "CoarseGathering") -> None:
        """Take in what was gathered over later images."""
        self._size = min(self._size, later._size)
        self._keep(np.concatenate([self._held, later._held]))
        self._take([one for one in later._pictures.items() if one[0] in self._chosen])

    def _take(self, pictures: "list[tuple[int, _Picture]]") -> None:
        self._pictures.update(pictures)
        while self._n_entries > self._most and self._size > _FEWEST:
            self._size //= 2
            self._keep(self._held)

    @property
    def _held(self) -> NDArray[np.int64]:
        return np.fromiter(self._pictures, np.int64, count=len(self._pictures))

    @property
    def _n_entries(self) -> int:
        return sum(len(picture.latent) for picture in self._pictures.values())

    def _keep(self, images: NDArray[np.int64]) -> None:
        """Let go of pictures that are not among the chosen of all these; remember which are."""
        self._chosen = set(smallest(images, self._size, self._seed).tolist())
        for image in [image for image in self._pictures if image not in self._chosen]:
            del self._pictures[image]

    def _split(self, firings: Firings) -> list[tuple[int, _Picture]]:
        n_cells = self._side**2
        wanted = np.array([image in self._chosen for image in firings.images.tolist()], dtype=bool)
        kept = wanted[firings.row]
        cell = self._cell[firings.patch[kept]]
        key = (firings.row[kept] * self._n_latents + firings.latent[kept]) * n_cells + cell
        places, at = np.unique(key, return_inverse=True)
        total = np.bincount(at, firings.value[kept].astype(np.float64), minlength=len(places))
        cell = places % n_cells
        value = np.minimum(total * self._weight[cell], LARGEST_HALF).astype(np.float16)
        latent, row = (places // n_cells) % self._n_latents, places // n_cells // self._n_latents
        ends = np.searchsorted(row, np.arange(len(firings.images) + 1))
        return [
            (
                int(firings.images[i]),
                _Picture(
                    latent[ends[i] : ends[i + 1]].astype(np.int32),
                    cell[ends[i] : ends[i + 1]].astype(np.int32),
                    value[ends[i] : ends[i + 1]],
                ),
            )
            for i in np.flatnonzero(wanted)
        ]

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was gathered so far, by name."""
        pictures = list(self._pictures.values())
        return {
            "size": np.array(self._size),
            "images": self._held,
            "n_entries": np.array([len(one.latent) for one in pictures], np.int64),
            "latent": np.concatenate([np.zeros(0, np.int32), *(one.latent for one in pictures)]),
            "cell": np.concatenate([np.zeros(0, np.int32), *(one.cell for one in pictures)]),
            "value": np.concatenate([np.zeros(0, np.float16), *(one.value for one in pictures)]),
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._size = int(state["size"])
        ends = np.cumsum(state["n_entries"])[:-1]
        n = len(state["images"])  # splitting nothing gives one part
        parts = (np.split(state[name], ends)[:n] for name in ("latent", "cell", "value"))
        self._pictures = {
            image: _Picture(*entries)
            for image, *entries in zip(state["images"].tolist(), *parts, strict=True)
        }

    def finish(self) -> CoarseMaps:
        """The maps of all latents."""
        images = np.sort(self._held)
        pictures = [self._pictures[image] for image in images.tolist()]
        empty = _Picture(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float16))
        joined = [*pictures, empty]
        latent = np.concatenate([picture.latent for picture in joined])
        cell = np.concatenate([picture.cell for picture in joined])
        value = np.concatenate([picture.value for picture in joined])
        place = np.repeat(np.arange(len(pictures)), [len(picture.latent) for picture in pictures])
        column = place * self._side**2 + cell
        order = np.argsort(latent, kind="stable")  # within a latent columns ascend already
        counts = np.bincount(latent, minlength=self._n_latents)
        n_columns = len(images) * self._side**2
        return CoarseMaps(
            images=images,
            n_cells=self._side**2,
            start=np.concatenate([[0], np.cumsum(counts)]),
            column=column[order].astype(np.uint16 if n_columns <= 2**16 else np.uint32),
            value=value[order],
        )


def cells(grid: tuple[int, int], side: int) -> NDArray[np.int64]:
    """(rows · columns,) the cell in which each patch's centre lies; row-major, from 0."""
    row, column = (((np.arange(n) + 0.5) * side / n).astype(np.int64) for n in grid)
    found: NDArray[np.int64] = (row[:, None] * side + column[None]).ravel()
    return found
