"""How often 95 % intervals hold what they estimate, by simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from saecli.experiments.intervals import Interval, mean_interval, ratio_interval, wilson

Rng = np.random.Generator
Floats = npt.NDArray[np.float64]

MEANS: dict[str, tuple[Callable[[Rng, int], Floats], float]] = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "lognormal, σ 0.5": (lambda rng, n: rng.lognormal(0, 0.5, n), float(np.exp(0.125))),
    "Student's t, 5": (lambda rng, n: rng.standard_t(5, n), 0.0),
    "a third at 0, the rest normal": (
        lambda rng, n: np.where(rng.random(n) < 1 / 3, 0.0, rng.normal(-3, 1, n)),
        -2.0,
    ),
}
N_IMAGES = (20, 60)
RARE = 0.1  # of the pictures change at all
GROUP_SD = 1.0  # of what a group's pictures share, against 1 within


def cases() -> Iterator[tuple[str, Callable[[Rng, int], Interval], float | None]]:
    """Name, what draws a data set and gives its interval for a seed, and the truth."""
    for n in N_IMAGES:
        for name, (draw, truth) in MEANS.items():

            def mean(rng: Rng, seed: int, draw: Any = draw, n: int = n) -> Interval:
                return mean_interval(draw(rng, n), seed=seed)

            yield f"mean of {n} pictures, {name}", mean, truth
        yield f"mean of {n} pictures, a tenth moves", _rare(n), -3.0 * RARE
        yield f"mean of {n} groups of 1 to 9 pictures", _grouped(n), 0.0
        yield f"micro share over {n} pictures", _micro(n), 0.3
        yield f"micro share of a fiftieth over {n} pictures", _micro(n, 0.02), 0.02
        yield f"share of {n} pictures (Wilson)", _wilson(n), None


def _grouped(n: int) -> Callable[[Rng, int], Interval]:
    def interval(rng: Rng, seed: int) -> Interval:
        sizes = rng.integers(1, 10, n)
        shared = np.repeat(rng.normal(0, GROUP_SD, n), sizes)
        values = shared + rng.normal(size=sizes.sum())
        return mean_interval(values, seed=seed, groups=np.repeat(np.arange(n), sizes))

    return interval


def _rare(n: int) -> Callable[[Rng, int], Interval]:
    """A latent that fires on few pictures: the others' margins stay."""

    def interval(rng: Rng, seed: int) -> Interval:
        return mean_interval(np.where(rng.random(n) < RARE, rng.normal(-3, 1, n), 0.0), seed=seed)

    return interval


def _micro(n: int, share: float = 0.3) -> Callable[[Rng, int], Interval]:
    """Pictures of 5 to 60 patches whose own shares scatter around a mean."""

    def interval(rng: Rng, seed: int) -> Interval:
        whole = rng.integers(5, 61, n)
        part = rng.binomial(whole, rng.beta(10 * share, 10 * (1 - share), n))
        return ratio_interval(part, whole, seed=seed, bounds=(0.0, 1.0))

    return interval


def _wilson(n: int) -> Callable[[Rng, int], Interval]:
    """The share itself is drawn, so that coverage is a mean over shares from 5 to 95 %."""

    def interval(rng: Rng, seed: int) -> Interval:
        share = rng.uniform(0.05, 0.95)
        low, high = wilson(int(rng.binomial(n, share)), n)
        return low - share, high - share

    return interval


def names() -> list[str]:
    """What is simulated."""
    return [name for name, _, _ in cases()]


def simulate(number: int, seed: int, repeats: int) -> dict[str, Any]:
    """Share of a case's intervals that hold the truth."""
    name, interval, truth = list(cases())[number]
    held = 0
    for i in range(repeats):
        low, high = interval(np.random.default_rng((seed, number, i)), i)
        held += low <= (0.0 if truth is None else truth) <= high
    return {"case": name, "n": repeats, "covered": held / repeats}
