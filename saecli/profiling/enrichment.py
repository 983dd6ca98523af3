"""Classes on whose pictures a latent fires more often than on others, counted over the whole set.

A latent and a class make a table of two by two: pictures of the class or not, on which the latent
fires or not. The effect is the odds ratio, in log₂; a half is added to each of the four counts, so
that a zero has an effect too (Haldane 1956, Ann. Hum. Genet. 20:309; Anscombe 1956, Biometrika
43:461), and the interval is Woolf's on those counts (1955, Ann. Hum. Genet. 19:251). Whether it is
more than chance is Fisher's exact test, one-sided; its p is adjusted over all pairs of a latent
that fires and a class by Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57:289).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from saecli.profiling.statistics import Peaks

_Z = 1.959964
"""Of a 95 % interval."""
_BLOCK = 256
_FEWEST_OF_CLASS = 2


class ClassCounts:
    """On how many pictures of each class each latent fires.

    Args:
        n_latents: S.
        classes: (N,) each picture's class as a number from 0, -1 where it has none.
    """

    def __init__(self, n_latents: int, classes: NDArray[np.int64]) -> None:
        n_classes = int(classes.max(initial=-1)) + 1
        self._class = classes
        self._fires = np.zeros((n_latents, n_classes), dtype=np.int32)
        self._pictures = np.zeros(n_classes, dtype=np.int64)

    def add(self, images: NDArray[np.int64], peaks: Peaks) -> None:
        """Count a group of images."""
        of = self._class[images]
        np.add.at(self._pictures, of[of >= 0], 1)
        mine = of[peaks.row]
        known = mine >= 0
        np.add.at(self._fires, (peaks.latent[known], mine[known]), 1)

    def join(self, later: "ClassCounts") -> None:
        """Take in what was counted over other images."""
        self._fires += later._fires
        self._pictures += later._pictures

    def finish(self, n: int) -> "Enriched":
        """The n classes of each latent with the largest effects, of those that are enriched."""
        return enriched(self._fires, self._pictures, n)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was counted so far, by name."""
        return {"fires": self._fires, "pictures": self._pictures}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._fires[:] = state["fires"]
        self._pictures[:] = state["pictures"]


@dataclass(frozen=True, eq=False)
class Enriched:
    """Classes of each of S latents, the smallest q first, then the largest effect; -1 for none.

    Attributes:
        class_number: (S, n) int32.
        effect: (S, n) float32, log₂ of the odds ratio; NaN where there are no more.
        low, high: (S, n) float32, its 95 % interval.
        q: (S, n) float64, the adjusted p.
    """

    class_number: NDArray[np.int32]
    effect: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    q: NDArray[np.float64]


def enriched(
    fires: NDArray[np.int32], pictures: NDArray[np.int64], n: int, level: float = 0.05
) -> Enriched:
    """Test every latent that fires against every class, and keep the clearest.

    Args:
        fires: (S, C) pictures of each class on which each latent fires.
        pictures: (C,) pictures of each class.
        n: classes kept of each latent.
        level: of the adjusted p from which a class counts as enriched.
    """
    n_latents = len(fires)
    usable = np.flatnonzero(pictures >= _FEWEST_OF_CLASS)
    total, active = int(pictures.sum()), fires.sum(axis=1).astype(np.int64)
    latents = np.flatnonzero((active > 0) & (active < total))
    n_tests = len(latents) * len(usable) if len(usable) > 1 else 0
    row, column, p = [], [], []
    for start in range(0, len(latents) if n_tests else 0, _BLOCK):
        block = latents[start : start + _BLOCK]
        count = fires[np.ix_(block, usable)]
        # Where the count is at most what chance gives, p is about 0.5 or more: never among those
        # that are kept, and left out of the adjustment it counts as 1.
        more = count * total > active[block][:, None] * pictures[usable][None]
        i, j = np.nonzero(more)
        row.append(block[i])
        column.append(usable[j])
        p.append(hypergeom.sf(count[i, j] - 1, total, active[row[-1]], pictures[column[-1]]))
    shape = n_latents, n
    found = Enriched(
        class_number=np.full(shape, -1, np.int32),
        effect=np.full(shape, np.nan, np.float32),
        low=np.full(shape, np.nan, np.float32),
        high=np.full(shape, np.nan, np.float32),
        q=np.full(shape, np.nan),
    )
    if not row:
        return found
    rows, columns = np.concatenate(row), np.concatenate(column)
    q = _adjusted(np.concatenate(p), n_tests)
    kept = q <= level
    rows, columns, q = rows[kept], columns[kept], q[kept]
    effect, low, high = _log_odds(
        fires[rows, columns].astype(np.int64), active[rows], pictures[columns], total
    )
    order = np.lexsort((columns, -effect, q, rows))
    first = np.flatnonzero(np.diff(rows[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    order, place = order[place < n], place[place < n]
    cells = rows[order], place
    found.class_number[cells] = columns[order]
    found.effect[cells] = effect[order]
    found.low[cells] = low[order]
    found.high[cells] = high[order]
    found.q[cells] = q[order]
    return found


def _adjusted(p: NDArray[np.float64], n_tests: int) -> NDArray[np.float64]:
    """Benjamini and Hochberg's p of the smallest of ``n_tests``; those not given count as 1."""
    order = np.argsort(p, kind="stable")
    scaled = p[order] * n_tests / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def _log_odds(
    both: NDArray[np.int64], active: NDArray[np.int64], of_class: NDArray[np.int64], total: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """log₂ of the odds ratio and its 95 % interval."""
    cells = [both, active - both, of_class - both, total - active - of_class + both]
    a, b, c, d = (cell + 0.5 for cell in cells)
    effect = np.log2(a * d / (b * c))
    error = np.sqrt(1 / a + 1 / b + 1 / c + 1 / d) / np.log(2)
    return effect, effect - _Z * error, effect + _Z * error
