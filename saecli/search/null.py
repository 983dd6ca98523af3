"""The permutation null of the best correlation over all candidates."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.search.index import standardise

_CELLS = 2**24
"""Correlations held at once (64 MB)."""
_ROUNDING = 1e-5


def group_codes(groups: ArrayLike | None, n_images: int) -> NDArray[np.int64]:
    """(M,) int64: each image's group as a number from 0; one group for all where None."""
    if groups is None:
        return np.zeros(n_images, dtype=np.int64)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    if len(codes) != n_images:
        raise ValueError(f"{len(codes)} groups for {n_images} images")
    return codes


def permutations(groups: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, M) uniform permutations of M images that move each only within its group."""
    order = np.argsort(groups, kind="stable")
    draws = rng.random((n, len(groups))) + groups[order]
    result = np.empty((n, len(groups)), dtype=np.int64)
    result[:, order] = order[np.argsort(draws, axis=1)]
    return result


def null_maxima(
    source: NDArray[np.floating],
    rows: NDArray[np.float32],
    groups: NDArray[np.int64],
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The best r over all candidates for n permutations of the source's images.

    Args:
        source: (M,) the source's signature.
        rows: (C, M) the candidates' standardised signatures.
        groups: (M,) numbers from 0; images are permuted within their group.
        n: permutations.
        rng: of the permutations.

    Returns:
        (n,) float64; r in float32.
    """
    unit = standardise(source[None])[0]
    maxima = np.empty(n)
    step = max(1, _CELLS // max(1, len(rows)))
    for start in range(0, n, step):
        stop = min(n, start + step)
        permuted = unit[permutations(groups, stop - start, rng)]
        maxima[start:stop] = (permuted @ rows.T).max(axis=1)
    return maxima


def p_values(scores: NDArray[np.float64], maxima: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 + #{maxima ≥ score}) / (1 + n), a valid p (Phipson and Smyth 2010, SAGMB 9:39).

    Maxima within float32's rounding of a score count as reaching it; NaN scores get NaN.
    """
    reached = len(maxima) - np.searchsorted(np.sort(maxima), scores - _ROUNDING, side="left")
    p = (1 + reached) / (1 + len(maxima))
    return np.where(np.isnan(scores), np.nan, p)
