"""Held-out scores of a probe, all from one confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of (truth, prediction) over everything labelled: micro, not a mean over images.

    Args:
        counts: (n_classes, n_classes) int64, rows truth, columns prediction.
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls, truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], n_classes: int
    ) -> Confusion:
        """Count pairs; entries whose truth is negative (unlabelled) are left out."""
        known = truth >= 0
        pairs = truth[known] * n_classes + predicted[known]
        counts = np.bincount(pairs, minlength=n_classes * n_classes)
        return cls(counts.reshape(n_classes, n_classes).astype(np.int64))

    @property
    def accuracy(self) -> float:
        """Share of labelled entries that are right; NaN where nothing is labelled."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts) / total) if total else float("nan")

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that occur."""
        occurs = self.counts.sum(axis=1)
        recall = np.diag(self.counts)[occurs > 0] / occurs[occurs > 0]
        return float(recall.mean()) if recall.size else float("nan")

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """(n_classes,) intersection over union; NaN for a class neither seen nor predicted."""
        hit = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hit
        share = np.full(len(hit), np.nan)
        np.divide(hit, union, out=share, where=union > 0)
        return share

    @property
    def mean_iou(self) -> float:
        """Mean of :attr:`iou` over the classes seen or predicted (Everingham et al. 2015)."""
        seen = self.iou[~np.isnan(self.iou)]
        return float(seen.mean()) if seen.size else float("nan")
