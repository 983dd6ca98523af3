"""Whether one latent detects a concept better than another: the trained against the untrained."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.experiments.intervals import CONFIDENCE, RESAMPLES, Interval
from saecli.sae.model import Dictionary

Counts = npt.NDArray[np.int64]

_AT_ONCE = 2**22


def patch_hits(
    dictionary: Dictionary,
    latent: int,
    threshold: float,
    batches: Iterable[tuple[Tensor, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]],
) -> Counts:
    """Count, in each picture, what "f ≥ threshold" gets right and wrong.

    Args:
        batches: as for :func:`saecli.experiments.detection.detect_patches`.

    Returns:
        (n_images, 3): patches rightly called, wrongly called, missed.
    """
    found = []
    for x, positive, negative in batches:
        called = _activation(dictionary, latent, x) >= threshold
        found.append(_tally(called, positive, negative))
    return np.concatenate(found)


def picture_hits(
    dictionary: Dictionary,
    latent: int,
    threshold: float,
    batches: Iterable[tuple[Tensor, npt.NDArray[np.bool_]]],
) -> Counts:
    """The same for whole pictures, by their largest activation: (n_images, 3) of 0 and 1."""
    found = []
    for x, positive in batches:
        called = _activation(dictionary, latent, x).max(axis=1, keepdims=True) >= threshold
        shown = positive[:, None]
        found.append(_tally(called, shown, ~shown))
    return np.concatenate(found)


def f1(hits: Counts) -> float:
    """2·TP / (2·TP + FP + FN) over all pictures; 0 where nothing is called and nothing missed."""
    tp, fp, fn = hits.sum(axis=0)
    return float(2 * tp / max(2 * tp + fp + fn, 1))


def f1_advantage(
    hits: Counts,
    others: Counts,
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile bootstrap interval of F1(hits) − F1(others), pictures resampled together.

    Args:
        hits, others: (n_images, 3) of two detectors on the same pictures.
        groups: (n_images,) labels of what is resampled as a whole.
    """
    both = np.concatenate([hits, others], axis=1).astype(np.float64)
    if groups is not None:
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        both = np.stack([np.bincount(member, column) for column in both.T], axis=1)
    rng, n = np.random.default_rng(seed), len(both)
    step = max(1, _AT_ONCE // n)
    differences = []
    for start in range(0, resamples, step):
        b = min(step, resamples - start)
        drawn = rng.integers(0, n, (b, n)) + np.arange(b)[:, None] * n
        weight = np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n)
        a_tp, a_fp, a_fn, b_tp, b_fp, b_fn = (weight @ both).T
        first = 2 * a_tp / np.maximum(2 * a_tp + a_fp + a_fn, 1)
        differences.append(first - 2 * b_tp / np.maximum(2 * b_tp + b_fp + b_fn, 1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(differences), [tail, 1 - tail])
    return float(low), float(high)


def _activation(dictionary: Dictionary, latent: int, x: Tensor) -> npt.NDArray[np.float64]:
    """(b, P) of one latent."""
    with torch.no_grad():
        pictures = [
            dictionary.encode(picture.to(dictionary.device, dictionary.dtype))[:, latent]
            for picture in x
        ]
    found: npt.NDArray[np.float64] = torch.stack(pictures).cpu().double().numpy()
    return found


def _tally(
    called: npt.NDArray[np.bool_],
    positive: npt.NDArray[np.bool_],
    negative: npt.NDArray[np.bool_],
) -> Counts:
    return np.stack(
        [
            (called & positive).sum(axis=1),
            (called & negative).sum(axis=1),
            (~called & positive).sum(axis=1),
        ],
        axis=1,
    )
