"""The counterpart test: does another dictionary have a latent that fires where this one does?

Signatures are image-level maximum activations over the images that both dictionaries were
profiled on: FAISS proposes by them. Where both have coarse maps, Pearson's r over all cells of all
images ranks what was proposed, and is what the rule judges. A maximum says only that a latent fires
somewhere: on the built-in world, whose pictures hold several grounds each, the best match of a
latent for sand by maxima alone was one for part of it (image-level AUROC 0.81 for sand); by maps it
is one that detects sand as well (0.94).

The best of many candidates always correlates somewhat, and significantly so with enough images;
hence the three conditions of ``judge``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.search.evidence import ByMaps, ByMaxima, Evidence, Maps
from saecli.search.index import SignatureIndex
from saecli.search.intervals import bca_interval, jackknifed_r, resample_counts, resampled_r
from saecli.search.null import group_codes, p_values

_ONLY = np.zeros(1, dtype=np.int64)
"""The place of a single source."""

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
    proposed: int = 64
    """Candidates, the nearest by image maxima, that are ranked by maps where there are any."""
    seed: int = 0


@dataclass(frozen=True)
class Match:
    """A latent of the other dictionary.

    Attributes:
        index: its number.
        score: Pearson's r of the two latents' maps, or without maps of their signatures.
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
        n_images: images that are compared.
        n_active: of these, on which the source fires.
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
    maps: Maps | None = None,
    latent: int = 0,
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
        groups: labels of any kind of the images that are compared, or None.
        untrained: the signatures of the target's untrained twin, over the same images.
        maps: coarse maps of all of these, to rank and judge by.
        latent: the source's number in them.
        settings: the rule; the defaults where None.

    Raises:
        SaecliError: if the signatures are over different numbers of images.

    Source: the null of the maximum is Westfall and Young 1993's, "Resampling-Based Multiple
    Testing", section 2.
    """
    settings = settings or MatchSettings()
    maxima = np.asarray(source)[None]
    evidence: Evidence = (
        ByMaxima(maxima, target, untrained)
        if maps is None
        else ByMaps(maxima, target, untrained, maps, np.array([latent]), settings.proposed)
    )
    n_active, n_images = int(evidence.n_active[0]), evidence.n_images
    indices, scores = (found[0] for found in evidence.search(max(top, 2)))
    indices, scores = indices[indices >= 0], scores[indices >= 0]
    if not len(indices):
        reason = judge(n_active, 1.0, -1.0, settings)
        return Comparison((), None, reason, n_images, n_active, None, None, None, None, None, None)
    null_rng, resample_rng = (np.random.default_rng([settings.seed, part]) for part in (0, 1))
    codes = group_codes(groups, n_images)
    highest = evidence.null(0, codes, settings.n_permutations, null_rng)
    p = p_values(scores, highest)
    counts = resample_counts(n_images, settings.n_resamples, resample_rng)
    own, found, cells = evidence.sources(_ONLY)[0], evidence.targets(indices), evidence.cells
    resampled = resampled_r(counts, own, found, cells)
    jackknifed = jackknifed_r(own, found, cells)
    limits = bca_interval(scores, resampled, jackknifed, settings.confidence)
    reason = judge(n_active, p[0], limits[0, 0], settings)
    twin = _beside_untrained(evidence, own, resampled[:, 0], counts, settings)
    return Comparison(
        matches=tuple(
            Match(int(index), float(score), (float(low), float(high)), float(value))
            for index, score, (low, high), value in zip(indices, scores, limits, p, strict=True)
        )[:top],
        counterpart=None if reason else int(indices[0]),
        reason=reason,
        n_images=n_images,
        n_active=n_active,
        null_quantile=float(np.quantile(highest, 1 - settings.level)),
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
    evidence: Evidence,
    source: NDArray[np.floating],
    resampled: NDArray[np.float64],
    counts: NDArray[np.float64],
    settings: MatchSettings,
) -> _Beside:
    """The untrained twin's best match, and the paired interval of the first match's lead over it.

    Both maxima are taken once, on all images, and the two latents then stand: the same resamples
    of the images give both correlations, and their differences' quantiles the interval.
    """
    found = evidence.search_untrained()
    if found is None or found[0][0, 0] < 0:
        return _Beside()
    latents, scores = found[0][0], found[1][0]
    twin = resampled_r(counts, source, evidence.untrained(latents), evidence.cells)[:, 0]
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(resampled - twin, [tail, 1 - tail])
    return _Beside(int(latents[0]), float(scores[0]), (float(low), float(high)))
