"""Dose and response: the same latents set to a row of values, in the pass of the experiment.

The demos of Stevens et al. 2025 (arXiv 2502.06755) let a slider run from −20 to +20 times a
latent's largest activation. A push that is large enough moves a prediction along any direction, so
beside each dose stand a few isotropic directions with the dose's norm on every patch: they show
from which size on the direction no longer matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from saecli.errors import SaecliError
from saecli.experiments.arms import Arm, LatentArm
from saecli.experiments.controls import random_directions
from saecli.experiments.intervals import Interval, mean_interval
from saecli.experiments.interventions import Edit, Value
from saecli.experiments.results import Results

SLIDERS = tuple(f"set:{c}" for c in (-20, -15, -10, -5, -2, -1, 0, 1, 2, 5, 10, 15, 20))
"""From −20 to +20 times the largest activation, closer together where the latent itself lives."""

PUSHES = 5  # random directions beside each dose: enough to see whether any push does it

Share = tuple[float, float]


def parse_doses(text: str) -> tuple[str, ...]:
    """Read ``set:-20,set:-10,set:0``, ``scale:0,scale:0.5`` or ``sliders``.

    Returns:
        the values as :meth:`Value.parse` reads them, smallest first, each once.

    Raises:
        SaecliError: if one is no value, there are fewer than two, or they are of different kinds.
    """
    if text.strip() == "sliders":
        return SLIDERS
    return check_doses(part.strip() for part in text.split(","))


def check_doses(texts: Iterable[str]) -> tuple[str, ...]:
    """The same for values that are already apart."""
    values = {Value.parse(text) for text in texts}
    kinds = sorted({value.kind for value in values} - {"ablate"})
    if len(kinds) > 1:
        raise SaecliError(
            "doses are of two kinds, 'scale' and 'set', which lie on no one axis",
            "give all as set:C, or all as scale:S",
            usage=True,
        )
    kind = Value.parse(f"{kinds[0] if kinds else 'set'}:0").kind
    amounts = sorted({value.amount for value in values})
    if len(amounts) < 2:
        raise SaecliError(
            f"{len(amounts)} dose makes no curve", "give two or more, or sliders", usage=True
        )
    return tuple(str(Value(kind, amount)) for amount in amounts)


def dose_arms(target: LatentArm, doses: Sequence[str], *, seed: int) -> list[Arm]:
    """An arm of kind ``dose`` for each value, and :data:`PUSHES` ``dose_push`` arms beside it.

    The i-th dose's pushes have the numbers i · PUSHES on. All doses share the directions, which
    are the first of the experiment's random ones.

    Args:
        target: whose latents, scope and maxima the doses take.
        doses: from :func:`parse_doses`.
        seed: of the directions.
    """
    arms: list[Arm] = []
    for i, dose in enumerate(doses):
        edit = Edit(target.edit.latents, Value.parse(dose), target.edit.scope)
        arm = LatentArm("dose", i, target.dictionary, edit, target.reference)
        pushes = random_directions(arm, PUSHES, seed=seed)
        arms.append(arm)
        arms += [
            replace(push, kind="dose_push", number=i * PUSHES + push.number) for push in pushes
        ]
    return arms


@dataclass(frozen=True, eq=False)
class Response:
    """What one dose did.

    Args:
        value: the dose.
        effect, interval: mean change of the margin over pictures, in nats.
        left, gained: of A's units those that left A, and that became B (NaN without any).
        changed: shares of target and of other units whose class changed.
        pushes: (PUSHES,) effects of the random directions of its size.
        pushes_left: the mean share that left A under them.
        pushes_changed: the mean shares of target and of other units that changed under them.
    """

    value: Value
    effect: float
    interval: Interval
    left: float
    gained: float
    changed: Share
    pushes: npt.NDArray[np.float64]
    pushes_left: float
    pushes_changed: Share

    def any_push_reaches(self, smallest: float) -> bool:
        """Whether a random direction of this size moves the margin by so much, either way."""
        return bool((np.abs(self.pushes) >= smallest).any())


def responses(
    results: Results,
    doses: Sequence[str],
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
) -> list[Response]:
    """The curve: what each dose did, smallest first.

    Args:
        results: of an experiment that :func:`dose_arms` was part of.
        doses: the same as then.
        seed, groups: of the intervals, see :func:`saecli.experiments.intervals.mean_interval`.
    """
    changes = results.margins("dose") - results.margins("baseline")
    pushes = results.effects("dose_push").reshape(len(doses), PUSHES)
    pushed = np.array([left for left, _ in results.flipped("dose_push")]).reshape(pushes.shape)
    moved = np.array(results.changed("dose_push")).reshape(len(doses), PUSHES, 2).mean(axis=1)
    flipped, changed = results.flipped("dose"), results.changed("dose")
    return [
        Response(
            value=Value.parse(dose),
            effect=float(changes[:, i].mean()),
            interval=mean_interval(changes[:, i], seed=seed, groups=groups),
            left=flipped[i][0],
            gained=flipped[i][1],
            changed=changed[i],
            pushes=pushes[i],
            pushes_left=float(pushed[i].mean()),
            pushes_changed=(float(moved[i, 0]), float(moved[i, 1])),
        )
        for i, dose in enumerate(doses)
    ]
