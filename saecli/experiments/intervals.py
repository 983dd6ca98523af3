"""Confidence intervals: bootstrap over pictures for means and micro shares, Wilson for shares."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import scipy.stats

CONFIDENCE = 0.95
RESAMPLES = 9_999  # Davison & Hinkley 1997, section 5.2.3: thousands for 95 % limits

Interval = tuple[float, float]


def ratio_interval(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval:
    """Bootstrap interval of Σ numerator / Σ denominator, pictures resampled with replacement.

    With a denominator of ones it is the interval of a mean; with counts of patches that of a micro
    share. The limits are bias-corrected and accelerated (BCa: Efron 1987, JASA 82:171), by
    ``scipy.stats.bootstrap``; where BCa is undefined because nothing varies, both are the estimate.

    Args:
        numerator, denominator: (n,), one entry per picture.
        seed: of the resampling.
        groups: (n,) labels of what is resampled as a whole (frames of one film, pictures of one
            photographer), instead of single pictures.

    Returns:
        lower and upper limit; NaN for no picture or a denominator of zero.
    """
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    if groups is not None:
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        top = np.bincount(member, top).astype(np.float64)
        bottom = np.bincount(member, bottom).astype(np.float64)
    if bottom.sum() == 0:
        return float("nan"), float("nan")
    estimate = float(top.sum() / bottom.sum())
    if len(top) < 2 or np.all(top * bottom.sum() == bottom * top.sum()):
        return estimate, estimate

    def ratio(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], axis: int = -1) -> object:
        return a.sum(axis=axis) / b.sum(axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of degenerate resamples; the result is checked below
        found = scipy.stats.bootstrap(
            (top, bottom),
            ratio,
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, 2**22 // len(top)),
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite([low, high]).all() else (estimate, estimate)


def mean_interval(
    values: npt.ArrayLike,
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval:
    """Bootstrap interval of a mean over pictures; see :func:`ratio_interval`."""
    x = np.asarray(values, np.float64)
    return ratio_interval(
        x,
        np.ones_like(x),
        seed=seed,
        groups=groups,
        confidence=confidence,
        resamples=resamples,
    )


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Score interval of a share of pictures (Wilson 1927, JASA 22:209); NaN for none."""
    if n == 0:
        return float("nan"), float("nan")
    found = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)
