"""Which latents fire more on pictures of a class than on others: effect, interval, significance.

The effect is the AUROC of a latent's largest activation on a picture, as in `detect`: the chance
that it is larger on a picture of the class than on another, ties counting half.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PAIRS = 4_000_000  # comparisons at a time


@dataclass(frozen=True, eq=False)
class Enrichment:
    """All latents against one class; arrays are (S,).

    Attributes:
        auroc: 0.5 where there is nothing to tell them apart.
        low, high: its 95 % interval (Newcombe's fifth method).
        q: one-sided p that it is above 0.5 (Mann-Whitney, normal approximation, ties at 0 taken
            into account), adjusted over the latents by Benjamini and Hochberg.
        with_class, without: shares of the pictures with and without the class on which it fires.
    """

    auroc: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    q: NDArray[np.float64]
    with_class: NDArray[np.float64]
    without: NDArray[np.float64]


def class_enrichment(signatures: NDArray[np.floating], of_class: NDArray[np.bool_]) -> Enrichment:
    """Compare each latent's maxima on pictures of a class with those on the others.

    Args:
        signatures: (S, M), the largest activation on each picture.
        of_class: (M,); at least two pictures with the class and two without.

    Source: Newcombe 2006, Statistics in Medicine 25:559, for the interval.
    """
    n_latents = len(signatures)
    n_class, n_other = int(of_class.sum()), int((~of_class).sum())
    auroc = np.empty(n_latents)
    fires = np.empty((2, n_latents))
    step = max(1, _PAIRS // (n_class * n_other))
    for start in range(0, n_latents, step):
        rows = signatures[start : start + step].astype(np.float32)
        own, other = rows[:, of_class], rows[:, ~of_class]
        wins = (own[:, :, None] > other[:, None, :]).astype(np.float32)
        wins += 0.5 * (own[:, :, None] == other[:, None, :])
        auroc[start : start + step] = wins.mean(axis=(1, 2), dtype=np.float64)
        fires[0, start : start + step] = (own > 0).mean(axis=1)
        fires[1, start : start + step] = (other > 0).mean(axis=1)
    low = _lower(auroc, n_class, n_other)
    high = 1 - _lower(1 - auroc, n_class, n_other)
    silent = n_class * (1 - fires[0]) + n_other * (1 - fires[1])
    p = _upper_p(auroc, n_class, n_other, silent)
    return Enrichment(auroc, low, high, adjusted(p), fires[0], fires[1])


def adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values adjusted for their number by Benjamini and Hochberg; NaN stays NaN.

    Source: Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289.
    """
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found


def _lower(auroc: NDArray[np.float64], n_class: int, n_other: int) -> NDArray[np.float64]:
    """The smallest AUROC of which the one found is at most 1.96 standard errors above.

    Errors are those at that AUROC, so that a perfect one has an interval, too.
    """
    low, high = np.zeros_like(auroc), auroc.copy()
    pairs, rest = n_class * n_other, (n_class + n_other) / 2 - 1
    for _ in range(40):
        at = (low + high) / 2
        spread = 1 + rest * ((1 - at) / (2 - at) + at / (1 + at))
        below = auroc - at > 1.959964 * np.sqrt(at * (1 - at) * spread / pairs)
        low, high = np.where(below, at, low), np.where(below, high, at)
    return low


def _upper_p(
    auroc: NDArray[np.float64], n_class: int, n_other: int, silent: NDArray[np.float64]
) -> NDArray[np.float64]:
    n = n_class + n_other
    ties = (silent**3 - silent) / (n * (n - 1))
    variance = n_class * n_other / 12 * (n + 1 - ties)
    p = np.full(len(auroc), np.nan)
    some = (variance > 1e-9) & (silent < n)
    z = (auroc[some] - 0.5) * n_class * n_other / np.sqrt(variance[some])
    p[some] = _normal_tail(z)
    return p


def _normal_tail(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(Z > z)."""
    from scipy.special import ndtr

    tail: NDArray[np.float64] = ndtr(-z)
    return tail
