"""One to many: a few latents of another dictionary that together fire where one latent does.

One dictionary may split what another keeps in one latent (Bricken et al. 2023, "Towards
Monosemanticity", on feature splitting). The set is grown greedily: at each step the latent whose
activations, added to the set's, raise Pearson's r with the source most. It is chosen on one half of
the images and judged on the other, so that what it gains over the best single latent is no mere
effect of having chosen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saecli.search.evidence import ByMaps, ByMaxima, Evidence, Maps
from saecli.search.index import SignatureIndex
from saecli.search.intervals import resample_counts, resampled_r

_ONLY = np.zeros(1, dtype=np.int64)
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class SetSettings:
    """How a set is grown."""

    most: int = 5
    """Latents of a set at most."""
    least_gain: float = 0.01
    """Of r, on the half that chooses, below which no latent is added."""
    n_resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class LatentSet:
    """A set, judged on images that didn't choose it.

    Attributes:
        latents: in the order in which they were added.
        score: r of the source with the set's sum.
        ci: its 95 % bootstrap interval over images (percentile).
        single_score: r of the source with the first latent alone.
        gain_ci: 95 % interval of the set's lead over that, on the same resamples; None for a set
            of one.
        n_images: images that judged.
    """

    latents: tuple[int, ...]
    score: float
    ci: tuple[float, float]
    single_score: float
    gain_ci: tuple[float, float] | None
    n_images: int


def find_set(
    source: NDArray[np.floating],
    target: SignatureIndex,
    *,
    maps: Maps | None = None,
    latent: int = 0,
    proposed: int = 64,
    settings: SetSettings | None = None,
) -> LatentSet | None:
    """Grow a set for a latent from what is nearest to it; None if its signature is constant.

    Args:
        source: (M,) the latent's signature.
        target: the other dictionary's signatures over the same M images.
        maps: coarse maps of both, to correlate instead of the image maxima.
        latent: the source's number in them.
        proposed: candidates, the nearest by image maxima.
        settings: the defaults where None.
    """
    settings = settings or SetSettings()
    maxima = np.asarray(source)[None]
    evidence: Evidence = (
        ByMaxima(maxima, target, None)
        if maps is None
        else ByMaps(maxima, target, None, maps, np.array([latent]), proposed)
    )
    near = evidence.search(proposed)[0][0]
    near = near[near >= 0]
    if not len(near):
        return None
    cells = evidence.cells
    own = np.asarray(evidence.sources(_ONLY)[0], dtype=np.float64)
    candidates = np.asarray(evidence.targets(near), dtype=np.float64)
    halves = np.random.default_rng([settings.seed, 3]).permutation(evidence.n_images)
    chooses = np.zeros(evidence.n_images, dtype=bool)
    chooses[halves[: evidence.n_images // 2]] = True
    inside = np.repeat(chooses, cells)
    chosen = _grow(own[inside], candidates[:, inside], settings)
    together = np.stack([candidates[chosen].sum(axis=0), candidates[chosen[0]]])[:, ~inside]
    n_judges = int((~chooses).sum())
    rng = np.random.default_rng([settings.seed, 4])
    counts = resample_counts(n_judges, settings.n_resamples, rng)
    drawn = resampled_r(counts, own[~inside], together, cells)
    score, single = _pearson(own[~inside], together)
    tails = [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2]
    low, high = np.quantile(drawn[:, 0], tails)
    lead = np.quantile(drawn[:, 0] - drawn[:, 1], tails)
    return LatentSet(
        latents=tuple(int(near[place]) for place in chosen),
        score=float(score),
        ci=(float(low), float(high)),
        single_score=float(single),
        gain_ci=(float(lead[0]), float(lead[1])) if len(chosen) > 1 else None,
        n_images=n_judges,
    )


def _grow(
    own: NDArray[np.float64], candidates: NDArray[np.float64], settings: SetSettings
) -> list[int]:
    """Places of the candidates that are taken, in order; ties to the nearer by all images."""
    chosen: list[int] = []
    total = np.zeros(candidates.shape[1])
    best = -np.inf
    while len(chosen) < min(settings.most, len(candidates)):
        scores = _pearson(own, total + candidates)
        scores[chosen] = -np.inf
        place = int(scores.argmax())
        if chosen and scores[place] < best + settings.least_gain:
            break
        chosen.append(place)
        total += candidates[place]
        best = float(scores[place])
    return chosen


def _pearson(own: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) r of one pattern with each of several; 0 where one is constant."""
    x = own - own.mean()
    y = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt((x**2).sum() * (y**2).sum(axis=1))
    r: NDArray[np.float64] = np.where(length > 0, y @ x / np.where(length > 0, length, 1), 0.0)
    return r
