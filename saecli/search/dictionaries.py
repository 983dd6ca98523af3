"""Whole dictionaries compared: which of one's latents have a counterpart in another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.progress import SILENT, Progress
from saecli.search.enrichment import adjusted
from saecli.search.evidence import ByMaps, ByMaxima, Evidence, Maps
from saecli.search.index import SignatureIndex
from saecli.search.intervals import bca_interval, jackknifed_r, resample_counts, resampled_r
from saecli.search.matching import MatchSettings, Reason, judge
from saecli.search.null import group_codes, p_values

_DONORS = 16
"""Latents whose permutations make one stratum's null."""
_PAIRS = 128
"""Pairs whose intervals are computed together (16 MB for 2,000 resamples, a few times over)."""


@dataclass(frozen=True)
class Stratum:
    """Latents that share a null: alike in how often and in which group they fire.

    Attributes:
        fewest, most: images on which its latents fire, inclusive.
        group: number of the group that holds most of their activation; 0 without groups.
        n_latents: how many they are.
        null_quantile: the pooled null maxima's quantile at 1 − level.
    """

    fewest: int
    most: int
    group: int
    n_latents: int
    null_quantile: float


@dataclass(frozen=True)
class Counterparts:
    """The best match of each of a dictionary's S latents in another one.

    Attributes:
        n_images: images that are compared.
        n_active: (S,) int64, of these, on which each latent fires.
        best: (S,) int64, the best match; -1 for a latent whose signature is constant.
        score: (S,) float64, its r; NaN there.
        p_value: (S,) float64, of the best match against its stratum's null; NaN for a latent that
            fires on too few images.
        adjusted_p: (S,) float64, after Benjamini and Hochberg 1995 (JRSS B 57:289), over the
            latents that have a p.
        ci: (S, 2) float64, r's interval; NaN for a latent that has failed before it is needed.
        reason: why each latent has no counterpart, None where it has.
        untrained_score: (S,) float64, r of the best match in the untrained twin; None without.
        beyond_untrained: (S,) bool, of the counterparts: whether the interval of the lead over
            the twin's best lies above 0; None without a twin.
        strata: the nulls that were used.
    """

    n_images: int
    n_active: NDArray[np.int64]
    best: NDArray[np.int64]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    adjusted_p: NDArray[np.float64]
    ci: NDArray[np.float64]
    reason: tuple[Reason | None, ...]
    untrained_score: NDArray[np.float64] | None
    beyond_untrained: NDArray[np.bool_] | None
    strata: tuple[Stratum, ...]

    @property
    def found(self) -> NDArray[np.bool_]:
        """(S,) which latents have a counterpart."""
        return np.array([reason is None for reason in self.reason], dtype=bool)

    @property
    def n_comparable(self) -> int:
        """Latents that fire on enough images to be compared."""
        return sum(reason != "too_few_active" for reason in self.reason)

    @property
    def share(self) -> float | None:
        """Share of the comparable latents that have a counterpart; None if there are none."""
        return int(self.found.sum()) / self.n_comparable if self.n_comparable else None


def find_counterparts(
    source: SignatureIndex,
    target: SignatureIndex,
    *,
    groups: ArrayLike | None = None,
    untrained: SignatureIndex | None = None,
    maps: Maps | None = None,
    settings: MatchSettings | None = None,
    progress: Progress = SILENT,
) -> Counterparts:
    """Look for every latent's counterpart in another dictionary; call it twice for both ways.

    The rule is ``compare_latent``'s, with two differences that many latents at once ask for: the
    null maxima are pooled over latents of like density (octaves of the images on which they fire)
    and, with groups, of the same main group, ``n_permutations`` a stratum; and what must reach
    the level is the p adjusted for all latents. A latent whose r itself is below ``min_r`` is too
    weak without an interval.

    Args:
        source: the dictionary whose latents are looked for.
        target: the dictionary to look in, over the same M images.
        groups: labels of any kind of the images that are compared, or None; images are permuted
            within them.
        untrained: the target's untrained twin, over the same images.
        maps: coarse maps of all of these, to rank and judge by.
        settings: the rule; the defaults where None.
        progress: told of each stratum.

    Raises:
        SaecliError: if the signatures are over different numbers of images.
    """
    settings = settings or MatchSettings()
    evidence: Evidence = (
        ByMaxima(source.signatures, target, untrained)
        if maps is None
        else ByMaps(
            *(source.signatures, target, untrained, maps),
            np.arange(source.n_latents),
            settings.proposed,
        )
    )
    latents, scores = evidence.search(1)
    best, score = latents[:, 0], scores[:, 0]
    codes = group_codes(groups, evidence.n_images)
    p, strata = _pooled_p(evidence, score, codes, settings, progress)
    adjusted_p = adjusted(p)
    hopeful = np.flatnonzero((adjusted_p <= settings.level) & (score >= settings.min_r))
    twins = evidence.search_untrained()
    ci, lead = np.full((len(p), 2), np.nan), np.full(len(p), np.nan)
    rng = np.random.default_rng([settings.seed, 1])
    counts = resample_counts(evidence.n_images, settings.n_resamples, rng)
    tail = (1 - settings.confidence) / 2
    for start in range(0, len(hopeful), _PAIRS):
        pairs = hopeful[start : start + _PAIRS]
        ours, theirs = evidence.sources(pairs), evidence.targets(best[pairs])
        resampled = resampled_r(counts, ours, theirs, evidence.cells)
        jackknifed = jackknifed_r(ours, theirs, evidence.cells)
        ci[pairs] = bca_interval(score[pairs], resampled, jackknifed, settings.confidence)
        if twins is not None:
            beside = evidence.untrained(twins[0][pairs, 0])
            other = resampled_r(counts, ours, beside, evidence.cells)
            lead[pairs] = np.quantile(resampled - other, tail, axis=0)
    reasons = tuple(
        judge(int(active), float(value), float(low), settings)
        for active, value, low in zip(evidence.n_active, adjusted_p, ci[:, 0], strict=True)
    )
    found = np.array([reason is None for reason in reasons], dtype=bool)
    twin_score = None if twins is None else twins[1][:, 0]
    beyond = None if twin_score is None else found & (lead > 0) & np.isfinite(twin_score)
    return Counterparts(
        n_images=evidence.n_images,
        n_active=evidence.n_active,
        best=best,
        score=score,
        p_value=p,
        adjusted_p=adjusted_p,
        ci=ci,
        reason=reasons,
        untrained_score=twin_score,
        beyond_untrained=beyond,
        strata=strata,
    )


def _pooled_p(
    evidence: Evidence,
    score: NDArray[np.float64],
    groups: NDArray[np.int64],
    settings: MatchSettings,
    progress: Progress,
) -> tuple[NDArray[np.float64], tuple[Stratum, ...]]:
    p = np.full(len(score), np.nan)
    n_active = evidence.n_active
    tested = np.flatnonzero((n_active >= settings.min_active) & np.isfinite(score))
    octave = np.log2(n_active[tested] / settings.min_active).astype(np.int64)
    main = _main_group(evidence, tested, groups)
    keys, member = np.unique(np.stack([octave, main]), axis=1, return_inverse=True)
    strata = []
    with progress.task("permuting", keys.shape[1], "strata") as task:
        for place, (level, group) in enumerate(keys.T):
            latents = tested[member.ravel() == place]
            rng = np.random.default_rng([settings.seed, 2, int(level), int(group)])
            donors = rng.choice(latents, min(_DONORS, len(latents)), replace=False)
            each = -(-settings.n_permutations // len(donors))
            maxima = np.concatenate(
                [evidence.null(int(donor), groups, each, rng) for donor in donors]
            )
            p[latents] = p_values(score[latents], maxima)
            strata.append(
                Stratum(
                    fewest=int(n_active[latents].min()),
                    most=int(n_active[latents].max()),
                    group=int(group),
                    n_latents=len(latents),
                    null_quantile=float(np.quantile(maxima, 1 - settings.level)),
                )
            )
            task.advance()
    return p, tuple(strata)


def _main_group(
    evidence: Evidence, places: NDArray[np.int64], groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(S,) the group whose images hold the largest sum of each pattern; ties to the lower."""
    main = np.zeros(len(places), dtype=np.int64)
    if groups.max() == 0:
        return main
    members = np.zeros((len(groups), groups.max() + 1), dtype=np.float32)
    members[np.arange(len(groups)), groups] = 1
    members = np.repeat(members, evidence.cells, axis=0)
    for start in range(0, len(places), _PAIRS):
        block = slice(start, start + _PAIRS)
        main[block] = (evidence.sources(places[block]).astype(np.float32) @ members).argmax(axis=1)
    return main
