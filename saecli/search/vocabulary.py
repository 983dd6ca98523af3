"""Which word of a vocabulary tells best where each latent fires."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr  # scipy.stats takes most of a second to load

_BLOCK = 2048  # latents at a time, so that memory stays small


@dataclass(frozen=True)
class WordRule:
    """When a word is good enough to be a label."""

    least_active: int = 20
    """Pictures on which the latent fires, as for a counterpart."""
    least_r: float = 0.2
    """Correlation below which a word says next to nothing (4 % of the variance)."""
    level: float = 0.05
    """Of the p of the best of all words (Bonferroni)."""


@dataclass(frozen=True)
class BestWords:
    """For each of S latents the best word, the next best, and whether the best is good enough.

    Attributes:
        word, runner_up: (S,) int64, words' numbers; -1 where the latent's signature is constant
            (runner_up also where there is one word alone).
        r, runner_up_r: (S,) float64, their correlations; NaN there.
        n_active: (S,) int64, pictures on which the latent fires.
        good: (S,) bool.
    """

    word: NDArray[np.int64]
    r: NDArray[np.float64]
    runner_up: NDArray[np.int64]
    runner_up_r: NDArray[np.float64]
    n_active: NDArray[np.int64]
    good: NDArray[np.bool_]


def best_words(
    signatures: NDArray[np.floating], likeness: NDArray[np.floating], rule: WordRule
) -> BestWords:
    """Correlate what latents do on pictures with how like each word the pictures are.

    The score is Pearson's r over M pictures between a latent's largest activation and a word's
    likeness. If the two had nothing to do with each other, r over random pairings would have mean
    0 and variance 1 / (M − 1) exactly (Pitman 1937, "Significance tests which may be applied to
    samples from any populations. II", JRSS Suppl. 4); p takes it as normal, times the number of
    words.

    Args:
        signatures: (S, M) largest activations, at least 0.
        likeness: (W, M), of each word to each picture.
        rule: when a word is good enough.
    """
    n_latents, n_images = signatures.shape
    words = _unit(np.asarray(likeness, np.float64))
    n_words = len(words)
    word = np.full(n_latents, -1, np.int64)
    second = np.full(n_latents, -1, np.int64)
    r = np.full(n_latents, np.nan)
    second_r = np.full(n_latents, np.nan)
    n_active = np.count_nonzero(signatures > 0, axis=1).astype(np.int64)
    for start in range(0, n_latents, _BLOCK):
        part = signatures[start : start + _BLOCK].astype(np.float64)
        varying = np.flatnonzero(part.std(axis=1) > 0)
        found = _unit(part[varying]) @ words.T
        order = np.argsort(-found, axis=1, kind="stable")  # ties by the lower number
        at = np.arange(len(varying))
        word[start + varying] = order[:, 0]
        r[start + varying] = found[at, order[:, 0]]
        if n_words > 1:
            second[start + varying] = order[:, 1]
            second_r[start + varying] = found[at, order[:, 1]]
    p = n_words * ndtr(-np.nan_to_num(r) * np.sqrt(max(n_images - 1, 1)))
    good = (n_active >= rule.least_active) & (np.nan_to_num(r) >= rule.least_r) & (p <= rule.level)
    return BestWords(word, np.clip(r, -1, 1), second, second_r, n_active, good)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows without their mean, of unit length; a constant row is 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.zeros_like(centred)
    np.divide(centred, length, out=unit, where=length > 0)
    return unit
