"""The counterpart test: does another dictionary have a latent that fires on the same images?

Signatures are image-level maximum activations over the images that both dictionaries were
profiled on. The best of many candidates always correlates somewhat, and significantly so with
enough images; hence the three conditions of ``judge``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.search.index import SignatureIndex, check_shared, pearson
from saecli.search.intervals import bca_interval, jackknifed_r, resample_counts, resampled_r
from saecli.search.null import group_codes, null_maxima, p_values

Reason = Literal["too_few_active", "not_significant", "too_weak"]


@dataclass(frozen=True)
class MatchSettings:
    """The rule of the counterpart, fixed before anything is compared."""

    min_active: int = 20
    """Images on which the source must fire."""
    level: float = 0.05
    """Of the permutation test of the best match."""
    min_r: float = 0.5
    """r₀: what the interval's lower limit must reach."""
    n_permutations: int = 999
    n_resamples: int = 2000
    """Bootstrap resamples of the images."""
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Match:
    """A latent of the other dictionary.

    Attributes:
        index: its number.
        score: Pearson's r of the two signatures.
        ci: r's bootstrap interval over images (BCa). It takes the pair as given; that the best of
            many was picked is what the p-value accounts for.
        p_value: share of the null's maxima over *all* candidates that reach the score.
    """

    index: int
    score: float
    ci: tuple[float, float]
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """A latent looked for in another dictionary.

    Attributes:
        matches: best first, ties by lower index; empty if the source's signature is constant.
        counterpart: the first match's index if it passes the rule, else None.
        reason: why there is no counterpart; None if there is.
        n_images: images of the signatures.
        n_active: images on which the source fires.
        null_quantile: the null maxima's quantile at 1 − level; None without matches.
        margin: the first match's r less the second's; None without a second.
        untrained_index: the untrained twin's best latent, or None.
        untrained_score: its r, or None.
        difference_ci: interval of the first match's r less the twin's, or None.
        beyond_untrained: whether that interval lies above 0, or None.
    """

    matches: tuple[Match, ...]
    counterpart: int | None
    reason: Reason | None
    n_images: int
    n_active: int
    null_quantile: float | None
    margin: float | None
    untrained_index: int | None
    untrained_score: float | None
    difference_ci: tuple[float, float] | None
    beyond_untrained: bool | None


def judge(n_active: int, p_value: float, lower: float, settings: MatchSettings) -> Reason | None:
    """Why the best match is no counterpart, or None if it is one."""
    if n_active < settings.min_active:
        return "too_few_active"
    if not p_value <= settings.level:
        return "not_significant"
    if not lower >= settings.min_r:
        return "too_weak"
    return None


def compare_latent(
    source: ArrayLike,
    target: SignatureIndex,
    *,
    top: int = 5,
    groups: ArrayLike | None = None,
    untrained: SignatureIndex | None = None,
    settings: MatchSettings | None = None,
) -> Comparison:
    """Look for a latent's counterpart in another dictionary.

    The null permutes the source's images, within their groups where there are any (kinds of
    pictures, classes): then what the groups alone explain is no evidence. A candidate's p-value
    compares its r with the permutations' maxima over all candidates.

    Args:
        source: (M,) the latent's signature.
        target: the other dictionary's signatures over the same M images.
        top: how many matches to list.
        groups: (M,) labels of any kind, or None.
        untrained: the signatures of the target's untrained twin, over the same images.
        settings: the rule; the defaults where None.

    Raises:
        SaecliError: if the signatures are over different numbers of images.

    Source: the null of the maximum is Westfall and Young 1993's, "Resampling-Based Multiple
    Testing", section 2.
    """
    settings = settings or MatchSettings()
    source = np.asarray(source)
    check_shared(len(source), target.n_images)
    n_active = int((source > 0).sum())
    indices, scores = (found[0] for found in target.search(source[None], max(top, 2)))
    indices, scores = indices[indices >= 0], scores[indices >= 0]
    if not len(indices):
        reason = judge(n_active, 1.0, -1.0, settings)
        return Comparison(
            (), None, reason, len(source), n_active, None, None, None, None, None, None
        )
    null_rng, resample_rng = (np.random.default_rng([settings.seed, part]) for part in (0, 1))
    codes = group_codes(groups, len(source))
    maxima = null_maxima(source, target.rows, codes, settings.n_permutations, null_rng)
    p = p_values(scores, maxima)
    counts = resample_counts(len(source), settings.n_resamples, resample_rng)
    found = target.signatures[indices]
    resampled = resampled_r(counts, source, found)
    limits = bca_interval(scores, resampled, jackknifed_r(source, found), settings.confidence)
    reason = judge(n_active, p[0], limits[0, 0], settings)
    twin = _beside_untrained(source, scores[0], resampled[:, 0], untrained, counts, settings)
    return Comparison(
        matches=tuple(
            Match(int(index), float(score), (float(low), float(high)), float(value))
            for index, score, (low, high), value in zip(indices, scores, limits, p, strict=True)
        )[:top],
        counterpart=None if reason else int(indices[0]),
        reason=reason,
        n_images=len(source),
        n_active=n_active,
        null_quantile=float(np.quantile(maxima, 1 - settings.level)),
        margin=float(scores[0] - scores[1]) if len(scores) > 1 else None,
        untrained_index=twin.index,
        untrained_score=twin.score,
        difference_ci=twin.ci,
        beyond_untrained=None if twin.ci is None else twin.ci[0] > 0,
    )


@dataclass(frozen=True)
class _Beside:
    index: int | None = None
    score: float | None = None
    ci: tuple[float, float] | None = None


def _beside_untrained(
    source: NDArray[np.floating],
    score: float,
    resampled: NDArray[np.float64],
    untrained: SignatureIndex | None,
    counts: NDArray[np.float64],
    settings: MatchSettings,
) -> _Beside:
    """The untrained twin's best match, and the paired interval of the first match's lead over it.

    Both maxima are taken once, on all images, and the two latents then stand: the same resamples
    of the images give both correlations, and their differences' quantiles the interval.
    """
    if untrained is None:
        return _Beside()
    check_shared(len(source), untrained.n_images)
    index = int(untrained.search(source[None], 1)[0][0, 0])
    if index < 0:
        return _Beside()
    twin = untrained.signatures[index][None]
    difference = resampled - resampled_r(counts, source, twin)[:, 0]
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(difference, [tail, 1 - tail])
    return _Beside(index, float(pearson(source, twin)[0]), (float(low), float(high)))
