"""What a comparison rests on: image maxima alone, or coarse maps of what image maxima propose.

Both hold Q source latents, the dictionary to look in and its untrained twin, and offer the same
steps; whoever compares needs not know which it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saecli.search.coarse import CoarseIndex
from saecli.search.index import SignatureIndex, check_shared
from saecli.search.null import null_maxima

Floats = NDArray[np.floating]
Found = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Latents (Q, n), -1 where there are no more, and their r (Q, n), NaN there."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Coarse maps of the compared dictionaries, and of the target's untrained twin.

    All over the same images, which are those of the signatures or some of them.
    """

    source: CoarseIndex
    target: CoarseIndex
    untrained: CoarseIndex | None = None


class ByMaxima:
    """Pearson's r of image maxima.

    Args:
        maxima: (Q, M), the source latents' signatures.
        target: where to look.
        untrained: its untrained twin, or None.

    Attributes:
        cells: numbers of each image in a pattern.
        n_images: M.
        n_active: (Q,) int64, images on which each source fires.

    Raises:
        SaecliError: if the signatures are over different numbers of images.
    """

    cells = 1

    def __init__(
        self, maxima: Floats, target: SignatureIndex, untrained: SignatureIndex | None
    ) -> None:
        for index in (target, *([untrained] if untrained is not None else [])):
            check_shared(maxima.shape[1], index.n_images)
        self.n_images = maxima.shape[1]
        self.n_active: NDArray[np.int64] = (maxima > 0).sum(axis=1)
        self._maxima = maxima
        self._target = target
        self._untrained = untrained

    def search(self, n: int) -> Found:
        """The best n latents of the target: by r descending, ties by lower index."""
        return self._target.search(self._maxima, n)

    def search_untrained(self, n: int = 1) -> Found | None:
        """The same of the untrained twin; None without a twin."""
        return None if self._untrained is None else self._untrained.search(self._maxima, n)

    def propose(self, n: int) -> NDArray[np.int64]:
        """(Q, n) the nearest latents of the target in no certain order; -1 where there are none."""
        return self._target.propose(self._maxima, n)

    def propose_untrained(self, n: int) -> NDArray[np.int64] | None:
        """The same of the untrained twin; None without a twin."""
        return None if self._untrained is None else self._untrained.propose(self._maxima, n)

    def null(
        self, source: int, groups: NDArray[np.int64], n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """(n,) the best r over all candidates for permutations of a source's images."""
        return null_maxima(self._maxima[source], self._target.rows, groups, n, rng)

    def sources(self, places: NDArray[np.int64]) -> Floats:
        """(K, M · cells), patterns of sources by their place among the Q."""
        found: Floats = self._maxima[places]
        return found

    def targets(self, latents: NDArray[np.int64]) -> Floats:
        """(K, M · cells), patterns of the target's latents."""
        found: Floats = self._target.signatures[latents]
        return found

    def untrained(self, latents: NDArray[np.int64]) -> Floats:
        """The same of the untrained twin's."""
        if self._untrained is None:
            raise ValueError("there is no untrained twin")
        found: Floats = self._untrained.signatures[latents]
        return found


class ByMaps:
    """Pearson's r of coarse maps, for latents that image maxima propose.

    Args:
        maxima, target, untrained: as of :class:`ByMaxima`.
        maps: of all these.
        latents: (Q,) the sources' numbers in the maps.
        proposed: candidates of each source, the nearest by image maxima.
    """

    def __init__(
        self,
        maxima: Floats,
        target: SignatureIndex,
        untrained: SignatureIndex | None,
        maps: Maps,
        latents: NDArray[np.int64],
        proposed: int,
    ) -> None:
        self._near = ByMaxima(maxima, target, untrained)
        self._maps = maps
        self._latents = latents
        self._proposed = proposed
        self.cells = maps.source.n_cells
        self.n_images = maps.source.n_images
        self.n_active: NDArray[np.int64] = maps.source.n_active(latents)

    def search(self, n: int) -> Found:
        return self._ranked(self._near.propose(max(n, self._proposed)), self._maps.target, n)

    def search_untrained(self, n: int = 1) -> Found | None:
        proposed = self._near.propose_untrained(max(n, self._proposed))
        if proposed is None or self._maps.untrained is None:
            return None
        return self._ranked(proposed, self._maps.untrained, n)

    def _ranked(self, near: NDArray[np.int64], maps: CoarseIndex, n: int) -> Found:
        latents = np.full((len(near), n), -1, dtype=np.int64)
        scores = np.full((len(near), n), np.nan)
        for start in range(0, len(near), _BLOCK):
            block = slice(start, start + _BLOCK)
            known = np.maximum(near[block], 0)
            found = maps.correlate_near(self._maps.source, self._latents[block], known)
            found[near[block] < 0] = -np.inf
            order = np.lexsort((near[block], -found), axis=1)[:, :n]
            chosen = np.take_along_axis(near[block], order, axis=1)
            best = np.take_along_axis(found, order, axis=1)
            latents[block, : order.shape[1]] = chosen
            scores[block, : order.shape[1]] = np.where(chosen >= 0, best, np.nan)
        return latents, scores

    def null(
        self, source: int, groups: NDArray[np.int64], n: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        latent = int(self._latents[source])
        return self._maps.target.null_maxima(self._maps.source, latent, groups, n, rng)

    def sources(self, places: NDArray[np.int64]) -> Floats:
        return self._maps.source.dense(self._latents[places])

    def targets(self, latents: NDArray[np.int64]) -> Floats:
        return self._maps.target.dense(latents)

    def untrained(self, latents: NDArray[np.int64]) -> Floats:
        if self._maps.untrained is None:
            raise ValueError("there is no untrained twin")
        return self._maps.untrained.dense(latents)


_BLOCK = 256
"""Sources ranked at once."""
Evidence = ByMaxima | ByMaps
