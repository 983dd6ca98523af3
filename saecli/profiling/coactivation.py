"""Which latents fire together: on the same patch of the same picture, counted from sparse codes.

Over a uniform draw of pictures (the signature's, or those of them with the smallest hashes), so
that memory and work are bounded whatever the set. Over these the counts are exact.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from saecli.profiling.encoding import Firings
from saecli.profiling.signatures import smallest

MOST_PAIRS = 2**27
"""Bound on the pairs (latent, latent, patch) that are counted: some 10 s of one core."""
_FEWEST = 16
_PRODUCT = 2**24
"""Bound on the pairs that one block of latents makes at once (some 200 MB)."""
_COLUMN_BITS = 18
"""A latent's number, beside a share's 30 bits and a row's 16, in one integer."""
_ONE = np.float32(1).view(np.uint32)


@dataclass(frozen=True)
class Neighbours:
    """The latents that each of S latents fires with most, best first.

    Attributes:
        n_images: pictures that were counted.
        latent: (S, n) int32; -1 where there are no more.
        share: (S, n) float32, of the patches on which either fires, those on which both do
            (Jaccard's index); 0 where there are no more.
    """

    n_images: int
    latent: NDArray[np.int32]
    share: NDArray[np.float32]


class Coactivation:
    """The sparse codes of a draw of pictures, gathered while the number of pictures is unknown.

    Where they would make more than ``most_pairs``, the number of pictures is halved, as often as
    it takes; those with the smallest hashes stay.

    Args:
        n_latents: S.
        size: most pictures.
        seed: of the draw.
        most_pairs: bound on the work.
    """

    def __init__(self, n_latents: int, size: int, seed: int, most_pairs: int = MOST_PAIRS) -> None:
        self._n_latents = n_latents
        self._size = size
        self._seed = seed
        self._most = most_pairs
        self._codes: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
        self._pairs: dict[int, int] = {}

    def add(self, firings: Firings) -> None:
        """Take in a group of images."""
        chosen = self._keep(np.concatenate([self._held, firings.images]))
        ends = np.searchsorted(firings.row, np.arange(len(firings.images) + 1))
        for place, image in enumerate(firings.images.tolist()):
            if image not in chosen:
                continue
            entries = slice(ends[place], ends[place + 1])
            counts = np.bincount(firings.patch[entries], minlength=firings.n_patches)
            self._codes[image] = (
                firings.latent[entries].astype(np.int32),
                counts.astype(np.int32),
            )
            self._pairs[image] = int((counts.astype(np.int64) ** 2).sum())
        self._bound()

    def join(self, later: "Coactivation") -> None:
        """Take in what was gathered over later images."""
        self._size = min(self._size, later._size)
        chosen = self._keep(np.concatenate([self._held, later._held]))
        for image in later._codes:
            if image in chosen:
                self._codes[image] = later._codes[image]
                self._pairs[image] = later._pairs[image]
        self._bound()

    def _bound(self) -> None:
        while sum(self._pairs.values()) > self._most and self._size > _FEWEST:
            self._size //= 2
            self._keep(self._held)

    @property
    def _held(self) -> NDArray[np.int64]:
        return np.fromiter(self._codes, np.int64, count=len(self._codes))

    def _keep(self, images: NDArray[np.int64]) -> set[int]:
        chosen = set(smallest(images, self._size, self._seed).tolist())
        for image in [image for image in self._codes if image not in chosen]:
            del self._codes[image], self._pairs[image]
        return chosen

    def finish(self, n: int) -> Neighbours:
        """The n latents that each fires with most; ties by lower index."""
        latent = np.full((self._n_latents, n), -1, dtype=np.int32)
        share = np.zeros((self._n_latents, n), dtype=np.float32)
        images = np.sort(self._held).tolist()
        if images and n:
            counts = np.concatenate([self._codes[image][1] for image in images])
            columns = np.concatenate([self._codes[image][0] for image in images])
            by_patch = sparse.csr_array(
                (
                    np.ones(len(columns), np.int32),
                    columns,
                    np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
                ),
                shape=(len(counts), self._n_latents),
            )
            self._rank(by_patch, latent, share)
        return Neighbours(len(images), latent, share)

    def _rank(
        self,
        by_patch: "sparse.csr_array",
        latent: NDArray[np.int32],
        share: NDArray[np.float32],
    ) -> None:
        by_latent = by_patch.T.tocsr()
        active = np.diff(by_latent.indptr)
        work = np.cumsum(by_latent @ np.diff(by_patch.indptr))  # pairs up to each latent
        start = 0
        while start < len(active):
            before = work[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(work, before + _PRODUCT, side="right")))
            stop = min(stop, start + 2**16)
            both = sparse.coo_array(by_latent[start:stop] @ by_patch)
            row, column = both.row, both.col
            either = active[start:stop][row] + active[column] - both.data
            found = both.data.astype(np.float32) / either.astype(np.float32)
            # One number orders by row, then share descending, then column: shares are above 0 and
            # at most 1, and positive floats are ordered as their bits are.
            bits = (_ONE - found.view(np.uint32)).astype(np.uint64)
            key = row.astype(np.uint64) << np.uint64(48)
            key |= bits << np.uint64(_COLUMN_BITS)
            key |= column.astype(np.uint64)
            key = np.sort(key[column != row + start])
            row = (key >> np.uint64(48)).astype(np.int64)
            first = np.searchsorted(row, np.arange(stop - start + 1))
            place = np.arange(len(row)) - np.repeat(first[:-1], np.diff(first))
            taken = place < latent.shape[1]
            key, cells = key[taken], (row[taken] + start, place[taken])
            latent[cells] = (key & np.uint64(2**_COLUMN_BITS - 1)).astype(np.int32)
            bits = (key >> np.uint64(_COLUMN_BITS)) & np.uint64(2**30 - 1)
            share[cells] = (_ONE - bits.astype(np.uint32)).view(np.float32)
            start = stop

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was gathered so far, by name."""
        images = self._held
        codes = [self._codes[image] for image in images.tolist()]
        empty = np.zeros(0, np.int32)
        return {
            "size": np.array(self._size),
            "images": images,
            "pairs": np.array([self._pairs[image] for image in images.tolist()], np.int64),
            "n_entries": np.array([len(one[0]) for one in codes], np.int64),
            "n_patches": np.array([len(one[1]) for one in codes], np.int64),
            "latent": np.concatenate([empty, *(one[0] for one in codes)]),
            "counts": np.concatenate([empty, *(one[1] for one in codes)]),
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._size = int(state["size"])
        images = state["images"].tolist()
        n = len(images)  # splitting nothing gives one part
        latent = np.split(state["latent"], np.cumsum(state["n_entries"])[:-1])[:n]
        counts = np.split(state["counts"], np.cumsum(state["n_patches"])[:-1])[:n]
        self._codes = dict(zip(images, zip(latent, counts, strict=True), strict=True))
        self._pairs = dict(zip(images, state["pairs"].tolist(), strict=True))
