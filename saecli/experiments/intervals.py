"""Confidence intervals: bootstrap over pictures for means and micro shares, Wilson for shares."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import scipy.stats

CONFIDENCE = 0.95
RESAMPLES = 9_999  # Davison & Hinkley 1997, section 5.2.3: thousands for 95 % limits
_AT_ONCE = 2**22  # resampled pictures held together: 32 MB

Interval = tuple[float, float]
Floats = npt.NDArray[np.float64]


def mean_interval(
    values: npt.ArrayLike,
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval:
    """Studentised bootstrap interval of a mean over pictures.

    Each resample's error is divided by its own standard error (bootstrap-t: Davison & Hinkley
    1997, section 5.2.1; Hall 1988, Ann. Stat. 16:927). For 20 pictures it covers as it should
    where BCa does not: 94–95 % against 92 % for normal and exponential values. Where too many
    resamples have no spread to divide by, the interval is BCa.

    Args:
        values: (n,), one per picture.
        seed: of the resampling.
        groups: (n,) labels of what is resampled as a whole (frames of one film, pictures of one
            photographer), instead of single pictures.

    Returns:
        lower and upper limit; NaN for no picture.
    """
    x = np.asarray(values, np.float64)
    top, bottom = _grouped(x, np.ones_like(x), groups)
    return _studentised(top, bottom, seed, confidence, resamples)


def ratio_interval(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    bounds: Interval = (-np.inf, np.inf),
) -> Interval:
    """Studentised bootstrap interval of a ratio of sums, Σ numerator / Σ denominator over pictures.

    As for :func:`mean_interval`, with the standard error of the linearised ratio (Davison &
    Hinkley 1997, example 2.9). In a simulation of micro shares over 20 pictures it covers 94–95 %,
    BCa 88–92 %.

    Args:
        numerator, denominator: (n,), of each picture.
        seed, groups: as for :func:`mean_interval`.
        bounds: what the ratio can't exceed: (0, 1) for a share.

    Returns:
        lower and upper limit; NaN where there is nothing to count.
    """
    top, bottom = _grouped(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64), groups
    )
    low, high = np.clip(_studentised(top, bottom, seed, confidence, resamples), *bounds)
    return float(low), float(high)


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Score interval of a share of pictures (Wilson 1927, JASA 22:209); NaN for none."""
    if n == 0:
        return float("nan"), float("nan")
    found = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def _grouped(top: Floats, bottom: Floats, groups: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Sums over each group; the pictures themselves without groups."""
    if groups is None:
        return top, bottom
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    return (
        np.bincount(member, top).astype(np.float64),
        np.bincount(member, bottom).astype(np.float64),
    )


def _degenerate(top: Floats, bottom: Floats) -> Interval | None:
    """The interval where nothing varies, or where there is nothing; else None."""
    if bottom.sum() == 0:
        return float("nan"), float("nan")
    estimate = float(top.sum() / bottom.sum())
    if len(top) < 2 or np.allclose(top, estimate * bottom, rtol=1e-12, atol=0):
        return estimate, estimate
    return None


def _ratio(top: Floats, bottom: Floats) -> tuple[Floats, Floats]:
    """Σ top / Σ bottom over the last axis, and its standard error (linearised)."""
    n, total = top.shape[-1], bottom.sum(axis=-1)
    ratio = top.sum(axis=-1) / total
    residual = top - ratio[..., None] * bottom
    return ratio, np.sqrt((residual**2).sum(axis=-1) * n / (n - 1)) / np.abs(total)


def _studentised(
    top: Floats, bottom: Floats, seed: int, confidence: float, resamples: int
) -> Interval:
    point = _degenerate(top, bottom)
    if point is not None:
        return point
    estimate, error = _ratio(top, bottom)
    rng = np.random.default_rng(seed)
    n, step = len(top), max(1, _AT_ONCE // len(top))
    scores = []
    for start in range(0, resamples, step):
        drawn = rng.integers(0, n, (min(step, resamples - start), n))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, spread = _ratio(top[drawn], bottom[drawn])
            scores.append((ratio - estimate) / spread)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(np.concatenate(scores), [tail, 1 - tail])
    if not np.isfinite([low, high]).all():
        return _bca(top, bottom, seed, confidence, resamples)
    return float(estimate - high * error), float(estimate - low * error)


def _bca(top: Floats, bottom: Floats, seed: int, confidence: float, resamples: int) -> Interval:
    """Bias-corrected and accelerated (Efron 1987, JASA 82:171), by ``scipy.stats.bootstrap``."""

    def ratio(a: Floats, b: Floats, axis: int = -1) -> Floats:
        shares: Floats = a.sum(axis=axis) / b.sum(axis=axis)
        return shares

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of degenerate resamples; the result is checked below
        found = scipy.stats.bootstrap(
            (top, bottom),
            ratio,
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, _AT_ONCE // len(top)),
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    if not np.isfinite([low, high]).all():
        estimate = float(top.sum() / bottom.sum())
        return estimate, estimate
    return low, high
