"""The segmentation table of Stevens et al. 2025 (arXiv 2502.06755, figure 7 and its protocol).

Per class: which share of its patches, and which share of the others, changes its predicted class
when something is suppressed. Four ways to choose what: a *random vector* (here: of the edit's norm
on every patch), a *random feature* (here: other latents that fire as often and as strongly on the
same pictures and matter as much to the predictions, see ``controls``, knocked out themselves), an
*automatic* feature (the best F1 on another split), and a *manual* one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from saecli.experiments.results import Results


@dataclass(frozen=True)
class Changed:
    """Patches, added up over edits and pictures; ``edits`` says over how many edits."""

    edits: int
    target: int
    n_target: int
    other: int
    n_other: int

    @classmethod
    def of(cls, results: Results, kind: str) -> Changed:
        """Of all arms of a kind."""
        found, rows = results.figures, results.find(kind)
        return cls(
            len(rows),
            int(found["changed_target"][:, rows].sum()),
            int(found["n_target"].sum()) * len(rows),
            int(found["changed_other"][:, rows].sum()),
            int(found["n_other"].sum()) * len(rows),
        )

    @classmethod
    def together(cls, parts: Iterable[Changed]) -> Changed:
        """Added up."""
        rows = [(p.edits, p.target, p.n_target, p.other, p.n_other) for p in parts]
        return cls(*np.array(rows, dtype=np.int64).reshape(-1, 5).sum(axis=0).tolist())

    @property
    def shares(self) -> tuple[float, float]:
        """Of the class's patches, and of the others; NaN for none."""
        return _share(self.target, self.n_target), _share(self.other, self.n_other)


def macro(parts: Sequence[Changed]) -> tuple[float, float]:
    """Means over classes of :attr:`Changed.shares`; classes without patches are left out."""
    means = []
    for side in (0, 1):
        known = [part.shares[side] for part in parts if not np.isnan(part.shares[side])]
        means.append(float(np.mean(known)) if known else float("nan"))
    return means[0], means[1]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
