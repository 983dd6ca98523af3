"""Coarse maps of a dictionary's latents, ready to be correlated: sparse, exact, by whole images.

The correlation of two latents is Pearson's over all cells of all images. An image's cells depend on
one another, so permutations and resamples always move whole images.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from saecli.grid import CoarseMaps
from saecli.search.null import permutations

_CELLS = 2**22
"""Correlations held at once (32 MB)."""


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
        self._rows = sparse.csr_array(
            (maps.value.astype(np.float64), maps.column.astype(np.int64), maps.start),
            shape=(len(maps.start) - 1, n_columns),
        )
        self._scale()

    def _scale(self) -> None:
        """Largest values 1, so that nothing overflows; means, and lengths of the centred rows."""
        largest = self._rows.max(axis=1).toarray().ravel()
        factor = 1 / np.where(largest > 0, largest, 1)
        self._rows = sparse.csr_array(sparse.diags_array(factor) @ self._rows)
        n = max(1, self._rows.shape[1])
        self._mean = self._rows.sum(axis=1) / n
        square = self._rows.multiply(self._rows).sum(axis=1) - n * self._mean**2
        varies = square > 1e-12 * n
        self._length = np.where(varies, np.sqrt(np.where(varies, square, 1)), np.inf)
        self._columns = sparse.csc_array(self._rows).T.tocsr()

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

    def n_active(self) -> NDArray[np.int64]:
        """(S,) images on which each latent fires."""
        latent = np.repeat(np.arange(self.n_latents), np.diff(self._rows.indptr))
        places = np.unique(latent * max(1, self.n_images) + self._rows.indices // self.n_cells)
        counts: NDArray[np.int64] = np.bincount(
            places // max(1, self.n_images), minlength=self.n_latents
        )
        return counts

    def dense(self, latents: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K, M · C), each latent's largest value 1."""
        found: NDArray[np.float64] = self._rows[latents].toarray()
        return found

    def correlate(self, source: "CoarseIndex", latents: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K, S): r of another dictionary's latents with all of this one's; 0 without variance."""
        return self._r(
            source._rows[latents], source._mean[latents, None], source._length[latents, None]
        )

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
        maxima = np.empty(n)
        step = max(1, _CELLS // max(1, self.n_latents))
        for start in range(0, n, step):
            stop = min(n, start + step)
            # place[k, i]: where the k-th permutation puts image i
            place = np.argsort(permutations(groups, stop - start, rng), axis=1)
            columns = place[:, image] * self.n_cells + cell
            moved = sparse.csr_array(
                (
                    np.tile(row.data, stop - start),
                    columns.ravel(),
                    np.arange(stop - start + 1) * len(image),
                ),
                shape=(stop - start, self._rows.shape[1]),
            )
            r = self._r(moved, source._mean[latent], source._length[latent])
            maxima[start:stop] = r.max(axis=1)
        return maxima

    def _r(
        self,
        rows: "sparse.csr_array",
        mean: NDArray[np.float64],
        length: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        product = (rows @ self._columns).toarray()
        covariance = product - self._rows.shape[1] * mean * self._mean
        return np.asarray(np.clip(covariance / (length * self._length), -1, 1))
