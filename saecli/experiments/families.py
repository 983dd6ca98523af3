"""Many hypotheses tested together: p-values adjusted for how many there are.

*Holm* (1979, Scand. J. Stat. 6:65) keeps the chance of even one false *supported* in the family at
α, however the tests depend on one another; the verdicts use it. *Benjamini–Hochberg* (1995,
J. R. Stat. Soc. B 57:289) keeps the expected share of false ones among those found at α, where the
tests are independent or positively dependent; it stands beside, for families that only screen.

A rank among n controls can't be below 1 / (n + 1). So that Holm's first step, p ≤ α / m, can be
reached at all, each hypothesis of m needs at least ⌈m / α⌉ − 1 controls of each kind
(:attr:`saecli.experiments.verdicts.Rule.least_controls`). All controls are run: stopping early
(Besag & Clifford 1991, Biometrika 78:301) would save the arms of those that are clearly null, but
every picture's pass has all arms in it, and intervals and tables need them all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.stats

from saecli.errors import SaecliError
from saecli.experiments.verdicts import Rule

Floats = npt.NDArray[np.float64]


def holm(p_values: npt.ArrayLike) -> Floats:
    """Step-down adjusted p-values.

    The i-th smallest of m is multiplied by m − i + 1 and raised to the largest before it; ties get
    one value.

    Args:
        p_values: (m,), each between 0 and 1.

    Returns:
        (m,) in the same order; a hypothesis stands at level α if its value is at most α.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def benjamini_hochberg(p_values: npt.ArrayLike) -> Floats:
    """Step-up adjusted p-values, by ``scipy.stats.false_discovery_control``.

    Args, Returns: as for :func:`holm`.
    """
    adjusted: Floats = scipy.stats.false_discovery_control(_checked(p_values), method="bh")
    return adjusted


def check_controls(rule: Rule, n: int) -> None:
    """Return if so many controls of each kind can decide a family; before anything is loaded.

    Raises:
        SaecliError: saying how many are needed.
    """
    if n < rule.least_controls:
        raise SaecliError(
            f"{n} controls of each kind can't decide {rule.family} hypotheses together "
            f"at α = {rule.alpha:g}",
            f"set controls to at least {rule.least_controls}, or test fewer at once",
        )


def _checked(p_values: npt.ArrayLike) -> Floats:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values are numbers between 0 and 1, in one row")
    return p
