"""Coarse maps of a dictionary's latents, ready to be correlated: sparse, exact, by whole images.

The correlation of two latents is Pearson's over all cells of all images. An image's cells depend on
one another, so permutations and resamples always move whole images.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from saecli.grid import CoarseMaps
from saecli.search.null import permutations

_DRAWN = 2**20
"""Permuted images held at once (8 MB)."""


class CoarseIndex:
    """The maps of S latents over the C cells of each of M images.

    Args:
        maps: as the profile keeps them.

    Attributes:
        images: (M,) int64, positions in the image set, ascending.
        n_cells: C.
    """

    def __init__(self, maps: CoarseMaps) -> None:
        self.images = maps.images
        self.n_cells = maps.n_cells
        n_columns = len(maps.images) * maps.n_cells
        start = np.asarray(maps.start, dtype=np.int64)
        value = maps.value.astype(np.float64)
        # Largest values 1, so that nothing overflows; means, and lengths of the centred rows.
        largest = _by_row(np.maximum, value, start)
        value /= np.repeat(np.where(largest > 0, largest, 1), np.diff(start))
        n = max(1, n_columns)
        self._mean = _by_row(np.add, value, start) / n
        square = _by_row(np.add, value**2, start) - n * self._mean**2
        varies = square > 1e-12 * n
        self._length = np.where(varies, np.sqrt(np.where(varies, square, 1)), np.inf)
        self._rows = sparse.csr_array(
            (value, maps.column.astype(np.int32), start), shape=(len(start) - 1, n_columns)
        )

    @cached_property
    def _columns(self) -> "sparse.csr_array":
        """(M · C, S): the maps column by column."""
        return self._rows.T.tocsr()

    @property
    def n_images(self) -> int:
        return len(self.images)

    @property
    def n_latents(self) -> int:
        return int(self._rows.shape[0])

    def on(self, images: NDArray[np.int64]) -> "CoarseIndex":
        """The same over some of the images."""
        if np.array_equal(images, self.images):
            return self
        kept = np.isin(self.images, images)
        rows = self._rows[:, np.flatnonzero(np.repeat(kept, self.n_cells))]
        return CoarseIndex(
            CoarseMaps(
                images=self.images[kept],
                n_cells=self.n_cells,
                start=rows.indptr,
                column=rows.indices,
                value=rows.data,
            )
        )

    def n_active(self, latents: NDArray[np.int64]) -> NDArray[np.int64]:
        """(K,) images on which each of some latents fires."""
        rows = self._rows[latents]
        start = rows.indptr
        image = rows.indices // self.n_cells
        first = np.diff(image, prepend=-1) != 0  # columns ascend within a latent
        first[start[:-1][np.diff(start) > 0]] = True
        counts: NDArray[np.int64] = _by_row(np.add, first.astype(np.int64), start)
        return counts

    def dense(self, latents: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K, M · C), each latent's largest value 1."""
        found: NDArray[np.float64] = self._rows[latents].toarray()
        return found

    def correlate(self, source: "CoarseIndex", latents: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K, S): r of another dictionary's latents with all of this one's; 0 without variance."""
        product = (source._rows[latents] @ self._columns).toarray()
        covariance = product - self._rows.shape[1] * source._mean[latents, None] * self._mean
        lengths = source._length[latents, None] * self._length
        return np.asarray(np.clip(covariance / lengths, -1, 1))

    def correlate_near(
        self, source: "CoarseIndex", latents: NDArray[np.int64], near: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(K, n): r of each of another dictionary's latents with its own n of this one's (K, n)."""
        product = np.empty(near.shape)
        own = np.zeros(self._rows.shape[1])
        for place, latent in enumerate(latents.tolist()):
            entries = slice(source._rows.indptr[latent], source._rows.indptr[latent + 1])
            columns = source._rows.indices[entries]
            own[columns] = source._rows.data[entries]
            product[place] = self._rows[near[place]] @ own
            own[columns] = 0
        covariance = product - len(own) * source._mean[latents, None] * self._mean[near]
        lengths = source._length[latents, None] * self._length[near]
        return np.asarray(np.clip(covariance / lengths, -1, 1))

    def null_maxima(
        self,
        source: "CoarseIndex",
        latent: int,
        groups: NDArray[np.int64],
        n: int,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """The best r over all latents for n permutations of the source's images.

        Args:
            source: the dictionary that is compared, over the same images.
            latent: of it.
            groups: (M,) numbers from 0; images are permuted within their group.
            n: permutations.
            rng: of the permutations.

        Returns:
            (n,) float64.
        """
        row = source._rows[[latent]]
        image, cell = np.divmod(row.indices.astype(np.int64), self.n_cells)
        expected = self._rows.shape[1] * source._mean[latent] * self._mean
        lengths = source._length[latent] * self._length
        maxima = np.empty(n)
        step = max(1, _DRAWN // max(1, self.n_images))
        for start in range(0, n, step):
            stop = min(n, start + step)
            # place[k, i]: where the k-th permutation puts image i
            place = np.argsort(permutations(groups, stop - start, rng), axis=1)
            for number, columns in enumerate(place[:, image] * self.n_cells + cell):
                product = self._columns[columns].T @ row.data
                maxima[start + number] = ((product - expected) / lengths).max()
        return np.clip(maxima, -1, 1)


def _by_row(
    reduced: np.ufunc, values: NDArray[np.number], start: NDArray[np.integer]
) -> NDArray[Any]:
    """(S,) the sum or the largest of each latent's values; 0 where it has none."""
    found = np.zeros(len(start) - 1, dtype=values.dtype)
    filled = np.flatnonzero(np.diff(start))
    if len(filled):
        found[filled] = reduced.reduceat(values, start[filled])
    return found
