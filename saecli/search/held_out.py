"""Held-out pictures on which a label is scored, and the score.

A label is scored by how well a judge who knows it alone tells the pictures on which the latent
fires from those on which it doesn't (detection scoring: Paulo et al. 2024, "Automatically
interpreting millions of features in large language models", arXiv 2410.13928). The judge gives a
number instead of a yes, so the score is the AUROC: 0.5 is chance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Integers = NDArray[np.int64]
Z = float(ndtri(0.975))


@dataclass(frozen=True)
class HeldOutSettings:
    """How many pictures of each kind a label is scored on, and how few are too few."""

    n_strata: int = 4
    """Equal parts of the pictures with the latent, by its activation."""
    n_quantile: int = 20
    """Pictures with it, as many of each part."""
    n_random: int = 20
    """Pictures with it, and as many without, drawn at random."""
    n_near: int = 20
    """Pictures without it that are most alike otherwise."""
    least: int = 8
    """Pictures of either side; fewer tell nothing."""
    seed: int = 0


@dataclass(frozen=True)
class HeldOut:
    """Columns of the signature by kind; a picture may be both a quantile and a random one."""

    quantile: Integers
    random: Integers
    silent: Integers
    near_miss: Integers

    @property
    def positive(self) -> Integers:
        """Pictures on which the latent fires."""
        return np.union1d(self.quantile, self.random)

    @property
    def negative(self) -> Integers:
        """Pictures on which it doesn't."""
        return np.union1d(self.silent, self.near_miss)


class Signatures:
    """What every latent does on every picture, prepared for many latents' choices.

    Args:
        maxima: (S, M) largest activations.
    """

    def __init__(self, maxima: NDArray[np.floating]) -> None:
        self.maxima = maxima
        peak = maxima.max(axis=1, keepdims=True).astype(np.float32)
        # Square roots of shares, so that no few latents decide.
        self._scaled = np.sqrt(maxima / np.where(peak > 0, peak, 1)).astype(np.float32)
        self._squares = np.einsum("ij,ij->j", self._scaled, self._scaled, dtype=np.float64)

    def alike(self, latent: int, n_strongest: int = 20) -> NDArray[np.float64]:
        """(M,) cosine of each picture's other latents with those where the latent fires most."""
        own = self.maxima[latent].astype(np.float64)
        strongest = np.argsort(-own, kind="stable")[:n_strongest]
        strongest = strongest[own[strongest] > 0]
        if not len(strongest):
            return np.zeros(len(own))
        aim = self._scaled[:, strongest].mean(axis=1)
        aim[latent] = 0
        product = (aim @ self._scaled).astype(np.float64)
        length = np.sqrt(np.maximum(self._squares - self._scaled[latent].astype(float) ** 2, 0))
        like = np.zeros(len(own))
        np.divide(product, length, out=like, where=length > 0)
        return like


def hold_out(
    signatures: Signatures,
    latent: int,
    allowed: NDArray[np.bool_],
    settings: HeldOutSettings,
    *,
    near: NDArray[np.bool_] | None = None,
) -> HeldOut:
    """Choose the pictures on which a latent's label is scored.

    Where near misses of patches are known they come first; the others are pictures on which it is
    silent although the other latents do there what they do where it fires most.

    Args:
        signatures: of the dictionary.
        latent: whose label it is.
        allowed: (M,) pictures that helped to choose neither latent nor label.
        settings: how many.
        near: (M,) pictures that a profile calls near misses, or None.
    """
    rng = np.random.default_rng([settings.seed, latent])
    own = signatures.maxima[latent].astype(np.float64)
    fires = np.flatnonzero((own > 0) & allowed)
    silent = np.flatnonzero((own == 0) & allowed)
    ordered = fires[np.argsort(-own[fires], kind="stable")]
    each = -(-settings.n_quantile // settings.n_strata)
    quantile = [rng.permutation(part)[:each] for part in np.array_split(ordered, settings.n_strata)]
    random, others = (rng.permutation(side)[: settings.n_random] for side in (fires, silent))
    known = silent[:0] if near is None else silent[near[silent]][: settings.n_near]
    rest = np.setdiff1d(silent, known)
    order = np.argsort(-signatures.alike(latent)[rest], kind="stable")
    more = rest[order[: settings.n_near - len(known)]]
    return HeldOut(
        quantile=np.sort(np.concatenate(quantile)).astype(np.int64),
        random=np.sort(random).astype(np.int64),
        silent=np.sort(others).astype(np.int64),
        near_miss=np.union1d(known, more).astype(np.int64),
    )


def auroc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The chance that a positive has a larger value than a negative, ties counting half.

    NaN if there are none on one side.
    """
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    equal = np.searchsorted(ordered, positive, "right") - below
    return float((below + equal / 2).mean() / len(negative))


def auroc_interval(value: float, n_positive: int, n_negative: int) -> tuple[float, float]:
    """The 95 % interval of an AUROC by its score test, which holds also at 0 and 1.

    Method 5 of Newcombe 2006, "Confidence intervals for an effect size measure based on the
    Mann–Whitney statistic. Part 2", Statistics in Medicine 25:559: the variance of Hanley and
    McNeil at the limit itself, with both sample sizes set to their mean.
    """
    if value != value:
        return float("nan"), float("nan")
    more = (n_positive + n_negative) / 2 - 1

    def beyond(limit: float) -> bool:
        variance = limit * (1 - limit) / (n_positive * n_negative)
        variance *= 1 + more * (1 - limit) / (2 - limit) + more * limit / (1 + limit)
        return bool(abs(value - limit) > Z * np.sqrt(variance))

    return _limit(0.0, value, beyond), _limit(1.0, value, beyond)


def _limit(end: float, value: float, beyond: Callable[[float], bool]) -> float:
    """Where, from an end towards the value, the limit is no longer beyond."""
    out, within = end, value
    if not beyond(out) and out != value:
        return out
    for _ in range(60):
        middle = (out + within) / 2
        if beyond(middle):
            out = middle
        else:
            within = middle
    return within
