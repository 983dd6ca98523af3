"""Latents like another latent of the same dictionary: in what they fire on, and in what they do.

Three relations, none of which is another's stand-in: latents that fire on the same pictures may
write different directions, and near directions may belong to latents that never fire together.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.grid import CoarseMaps

_BLOCK = 2048  # rows at a time, so that memory stays small


def correlations(source: ArrayLike, signatures: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson's r of a signature (M,) with each of (S, M); NaN where either is constant.

    Sums are in float64, products of centred values in float32: within about 1e-6 of exact.
    """
    own = np.asarray(source, np.float64)
    own = own - own.mean()
    length = np.sqrt((own**2).sum())
    found = np.full(len(signatures), np.nan)
    if length == 0:
        return found
    unit = (own / length).astype(np.float32)
    for start in range(0, len(signatures), _BLOCK):
        rows = signatures[start : start + _BLOCK].astype(np.float32)
        rows -= rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        varying = lengths > 1e-6 * np.sqrt(rows.shape[1])
        r = (rows @ unit).astype(np.float64)
        found[start : start + _BLOCK][varying] = r[varying] / lengths[varying]
    clipped: NDArray[np.float64] = np.clip(found, -1, 1)
    return clipped


def together_on_images(source: ArrayLike, signatures: NDArray[np.floating]) -> NDArray[np.float64]:
    """Jaccard's index of the images on which a latent (M,) and each of (S, M) fire.

    The share on which both fire among those on which either does; NaN where neither ever does.
    """
    own = np.asarray(source) > 0
    found = np.full(len(signatures), np.nan)
    for start in range(0, len(signatures), _BLOCK):
        fires = signatures[start : start + _BLOCK] > 0
        both = np.count_nonzero(fires & own, axis=1)
        either = np.count_nonzero(fires, axis=1) + np.count_nonzero(own) - both
        some = either > 0
        found[start : start + _BLOCK][some] = both[some] / either[some]
    return found


def together_on_cells(latent: int, maps: CoarseMaps) -> NDArray[np.float64]:
    """As `together_on_images`, over the cells of the images' coarse maps: in the same place."""
    own = np.zeros(len(maps.images) * maps.n_cells, bool)
    own[maps.column[maps.start[latent] : maps.start[latent + 1]]] = True
    total = np.concatenate([[0], np.cumsum(own[maps.column], dtype=np.int64)])
    both = total[maps.start[1:]] - total[maps.start[:-1]]
    either = np.diff(maps.start) + np.count_nonzero(own) - both
    found = np.full(len(both), np.nan)
    some = either > 0
    found[some] = both[some] / either[some]
    return found


def cosines(row: ArrayLike, rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of a direction (d,) with each of (S, d); NaN where one has no length."""
    one = np.asarray(row, np.float64)
    length = np.sqrt((one**2).sum())
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    found = np.full(len(rows), np.nan)
    some = (lengths > 0) & (length > 0)
    product = (rows @ one.astype(rows.dtype)).astype(np.float64)
    found[some] = product[some] / (lengths[some] * length)
    clipped: NDArray[np.float64] = np.clip(found, -1, 1)
    return clipped


def ranked(scores: ArrayLike, chosen: ArrayLike | None = None) -> NDArray[np.int64]:
    """Places by score descending, ties by lower place; what is no number is left out.

    Args:
        scores: (S,).
        chosen: (S,) bool, the places that take part; all where None.
    """
    values = np.asarray(scores, np.float64)
    there = ~np.isnan(values)
    if chosen is not None:
        there &= np.asarray(chosen, bool)
    places = np.flatnonzero(there)
    return places[np.argsort(-values[places], kind="stable")]
