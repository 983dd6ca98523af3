"""An experiment's figures put together: effects, flips and changed shares of every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saecli.experiments.intervals import Interval, ratio_interval, wilson
from saecli.experiments.runner import Figures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Results:
    """All rows on all pictures.

    Args:
        rows: (kind, number) of each row, as :func:`saecli.experiments.runner.rows` gives them.
        figures: each picture's figures stacked: (n_images, n_rows) or (n_images, ...).
    """

    rows: tuple[tuple[str, int], ...]
    figures: Figures

    @classmethod
    def of(cls, rows: Sequence[tuple[str, int]], pictures: Mapping[int, Figures]) -> Results:
        """Stack pictures in the order of their positions."""
        order = sorted(pictures)
        names = pictures[order[0]] if order else {}
        stacked = {name: np.stack([pictures[i][name] for i in order]) for name in names}
        return cls(tuple(rows), stacked)

    @property
    def n_images(self) -> int:
        return len(self.figures["margin"])

    def find(self, kind: str) -> list[int]:
        """The rows of a kind, in order of their numbers."""
        return [i for i, (k, _) in enumerate(self.rows) if k == kind]

    def margins(self, kind: str) -> Floats:
        """(n_images, n arms of the kind)."""
        return np.asarray(self.figures["margin"][:, self.find(kind)], dtype=np.float64)

    def effects(self, kind: str) -> Floats:
        """(n arms of the kind,) mean change of the margin over pictures, in nats."""
        effects: Floats = (self.margins(kind) - self.margins("baseline")).mean(axis=0)
        return effects

    def changes_without(self) -> Floats:
        """(n_images,) change under the target edit of the margin on patches without A.

        NaN for pictures without such patches; all NaN where the unit is a picture.
        """
        other = self.figures["margin_other"]
        changes: Floats = other[:, self.find("target")[0]] - other[:, 0]
        return changes

    def flipped(self, kind: str) -> list[tuple[float, float]]:
        """For each arm of the kind the shares of A's units that left A, and that became B.

        NaN where no unit was predicted A before.
        """
        n = float(self.figures["n_a"].sum())
        return [
            (
                _share(float(self.figures["left"][:, row].sum()), n),
                _share(float(self.figures["gained"][:, row].sum()), n),
            )
            for row in self.find(kind)
        ]

    def changed(self, kind: str) -> list[tuple[float, float]]:
        """For each arm of the kind the shares of target and other units whose class changed."""
        n_target = float(self.figures["n_target"].sum())
        n_other = float(self.figures["n_other"].sum())
        return [
            (
                _share(float(self.figures["changed_target"][:, row].sum()), n_target),
                _share(float(self.figures["changed_other"][:, row].sum()), n_other),
            )
            for row in self.find(kind)
        ]

    def changed_intervals(
        self, kind: str, *, seed: int, groups: npt.ArrayLike | None = None
    ) -> list[tuple[Interval, Interval]]:
        """Bootstrap intervals over pictures of :meth:`changed`."""
        return [
            (
                ratio_interval(
                    self.figures["changed_target"][:, row],
                    self.figures["n_target"][:, 0],
                    seed=seed,
                    groups=groups,
                    bounds=(0.0, 1.0),
                ),
                ratio_interval(
                    self.figures["changed_other"][:, row],
                    self.figures["n_other"][:, 0],
                    seed=seed,
                    groups=groups,
                    bounds=(0.0, 1.0),
                ),
            )
            for row in self.find(kind)
        ]

    def flipped_intervals(
        self, kind: str, *, seed: int, groups: npt.ArrayLike | None = None
    ) -> list[tuple[Interval, Interval]]:
        """Intervals of :meth:`flipped`: Wilson's where each picture counts once, else bootstrap."""
        whole = self.figures["n_a"][:, 0]
        n = int(whole.sum())
        alone = groups is None and whole.max(initial=0) <= 1

        def limits(part: npt.NDArray[np.int32]) -> Interval:
            if alone:
                return wilson(int(part.sum()), n)
            return ratio_interval(part, whole, seed=seed, groups=groups, bounds=(0.0, 1.0))

        return [
            (limits(self.figures["left"][:, row]), limits(self.figures["gained"][:, row]))
            for row in self.find(kind)
        ]

    def n_units(self, name: str, groups: npt.ArrayLike | None = None) -> int:
        """Pictures, or groups of them, that have any unit of a count (``n_a``, ``n_other``, …)."""
        there = self.figures[name][:, 0] > 0
        return int(there.sum()) if groups is None else len(np.unique(np.asarray(groups)[there]))

    def probabilities(self) -> tuple[Floats, Floats]:
        """(n_classes,) before and after the target edit: means over the pictures."""
        before, after = self.figures["probabilities"].astype(np.float64).mean(axis=0)
        return before, after

    def zero_difference(self) -> float:
        """The largest difference that the zero edit made to any logit."""
        return float(self.figures["zero_difference"].max())

    def residual(self) -> float:
        """Share of the latents' activation that is left when the edited patches are encoded again.

        NaN if there was none before.
        """
        before, after = self.figures["residual"].sum(axis=0)
        return _share(float(after), float(before))

    def edit_norm(self) -> float:
        """Mean norm of the edit on the patches that it touches, in the backbone's units."""
        total, n = self.figures["edit_norm"].sum(axis=0)
        return _share(float(total), float(n))


def widened(limits: Interval, n_units: int) -> Interval:
    """An interval of a share; Wilson's where resampling saw all units, or none, do the same.

    Twenty pictures of which all flipped are no proof that every picture would.
    """
    if limits[0] == limits[1] and limits[0] in (0.0, 1.0):
        return wilson(round(limits[0]) * n_units, n_units)
    return limits


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
