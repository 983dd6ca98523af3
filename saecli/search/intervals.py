"""Bootstrap intervals over images for correlations and their differences.

Images are resampled with replacement; a resample is held as its counts, so that all of its
correlations are weighted moments: one matrix product for all resamples and candidates.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri  # scipy.stats takes most of a second to load


def resample_counts(
    n_images: int, n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(B, M): how often each of M images is drawn in each of B resamples of M."""
    drawn = rng.integers(0, n_images, (n_resamples, n_images))
    drawn += np.arange(n_resamples)[:, None] * n_images
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * n_images)
    return counts.reshape(n_resamples, n_images).astype(np.float64)


def resampled_r(
    counts: NDArray[np.float64], source: ArrayLike, targets: ArrayLike, cells: int = 1
) -> NDArray[np.float64]:
    """Pearson's r in each resample: (B, K).

    Of one source (M,) with each target (K, M), or of sources (K, M) each with its own target.
    A resample in which either is constant has no correlation: it counts as r = 0.

    Args:
        counts: (B, M), of images.
        source, targets: as said, or (M · cells,) and (K, M · cells): an image's cells in a row.
        cells: that an image has; they are drawn together.
    """
    s = _scaled(np.atleast_2d(np.asarray(source, dtype=np.float64)))
    t = _scaled(np.asarray(targets, dtype=np.float64))
    n = counts.sum(axis=1, keepdims=True)

    def drawn(values: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = counts @ _of_images(values, cells).T / n
        return means

    mean_s, mean_t = drawn(s), drawn(t)
    var_s = drawn(s**2) - mean_s**2
    var_t = drawn(t**2) - mean_t**2
    return _ratio(drawn(s * t) - mean_s * mean_t, var_s, var_t)


def bca_interval(
    estimate: NDArray[np.float64],
    resampled: NDArray[np.float64],
    jackknifed: NDArray[np.float64],
    confidence: float,
) -> NDArray[np.float64]:
    """Bias-corrected and accelerated intervals (Efron 1987, JASA 82:171), as SciPy's bootstrap.

    Where they don't exist (all resamples equal, a perfect correlation) it is the plain percentile
    interval.

    Args:
        estimate: (K,) the statistic on all images.
        resampled: (B, K) on the resamples.
        jackknifed: (M, K) with each image left out.
        confidence: e.g. 0.95.

    Returns:
        (K, 2) lower and upper limits.
    """
    below = (resampled < estimate).mean(axis=0)
    share = (below + (resampled <= estimate).mean(axis=0)) / 2
    deviation = jackknifed.mean(axis=0) - jackknifed
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = ndtri(share)
        acceleration = (deviation**3).sum(axis=0) / (6 * (deviation**2).sum(axis=0) ** 1.5)
        shifted = bias[:, None] + ndtri(tails)
        levels = ndtr(bias[:, None] + shifted / (1 - acceleration[:, None] * shifted))
    usable = np.isfinite(levels).all(axis=1)
    levels[~usable] = tails
    limits = [np.quantile(r, level) for r, level in zip(resampled.T, levels, strict=True)]
    return np.array(limits, dtype=np.float64).reshape(-1, 2)


def jackknifed_r(source: ArrayLike, targets: ArrayLike, cells: int = 1) -> NDArray[np.float64]:
    """Pearson's r with each image left out in turn: (M, K); sources as in ``resampled_r``."""
    s = _scaled(np.atleast_2d(np.asarray(source, dtype=np.float64)))
    t = _scaled(np.asarray(targets, dtype=np.float64))
    n = s.shape[1] // cells - 1

    def left_out(values: NDArray[np.float64]) -> NDArray[np.float64]:
        images = _of_images(values, cells)
        means: NDArray[np.float64] = (images.sum(axis=1, keepdims=True) - images) / n
        return means

    mean_s, mean_t = left_out(s), left_out(t)
    var_s = left_out(s**2) - mean_s**2
    var_t = left_out(t**2) - mean_t**2
    return _ratio(left_out(s * t) - mean_s * mean_t, var_s, var_t).T


def _of_images(values: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """(K, M): the mean over each image's cells."""
    means: NDArray[np.float64] = values.reshape(len(values), -1, cells).mean(axis=2)
    return means


def _scaled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows with mean 0 and variance 1, so that moments don't cancel; constant rows become 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    constant = rows.max(axis=1, keepdims=True) == rows.min(axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.where(constant, 0, centred / np.where(constant, 1, deviation))
    return scaled


_NO_VARIANCE = 1e-12
"""Of rows with variance 1 over all images: what is below is rounding."""
_DIGITS = 10
"""What is kept of r: the last bits of a matrix product depend on how many rows share it."""


def _ratio(
    covariance: NDArray[np.float64], var_s: NDArray[np.float64], var_t: NDArray[np.float64]
) -> NDArray[np.float64]:
    defined = (var_s > _NO_VARIANCE) & (var_t > _NO_VARIANCE)
    r = covariance / np.sqrt(np.where(defined, var_s * var_t, 1))
    return np.where(defined, np.round(np.clip(r, -1, 1), _DIGITS), 0.0)
