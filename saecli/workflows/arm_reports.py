"""What every arm of an experiment did: controls of all kinds, doses, and the twin as a ceiling."""

from typing import TYPE_CHECKING, Any

import numpy as np

from saecli.records import ArmReport, DoseReport, PushReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from saecli.experiments.doses import Response
    from saecli.experiments.results import Results
    from saecli.workflows.plans import Plan

Limits = dict[str, list[float] | None]
"""95 % intervals of shares, by the share's name; None where there is nothing to count."""

MEANINGS = {
    "target": "the edit that is tested",
    "zero_edit": "the latents set to what they are: nothing may move",
    "other_latents": "a push of the same size along other latents that fire and matter as much",
    "random_directions": "a push of the same size along random directions",
    "own_knockout": "such other latents knocked out themselves, at their own size",
    "reconstruction": "every patch replaced by what the dictionary keeps of it",
    "mean_ablation": "the latents at their mean over all patches instead",
    "twin": "the edited copies of the pictures: what really changing it does",
}
"""Of each kind of arm, in the order of tables: what it is there for."""


def arm_reports(
    results: "Results", plan: "Plan", segmentation: bool, groups: "Sequence[str] | None"
) -> list[ArmReport]:
    """Every kind of arm that was run, doses apart."""
    from saecli.experiments.intervals import mean_interval

    found = []
    for kind, meaning in MEANINGS.items():
        changes = results.margins(kind) - results.margins("baseline")
        n = changes.shape[1]
        if not n:
            continue
        one = mean_interval(changes[:, 0], seed=plan.seed, groups=groups) if n == 1 else None
        found.append(
            ArmReport(
                kind=kind,
                meaning=meaning,
                n=n,
                effect=float(changes[:, 0].mean() if n == 1 else results.effects(kind).mean()),
                ci=None if one is None else list(one),
                flipped=flipped(results, kind, plan),
                changed=changed(results, kind) if segmentation else None,
                flipped_ci=flipped_ci(results, kind, plan, groups)[0] if n == 1 else None,
                changed_ci=(
                    changed_ci(results, kind, plan, groups)[0] if segmentation and n == 1 else None
                ),
            )
        )
    return found


def dose_reports(
    results: "Results",
    plan: "Plan",
    segmentation: bool,
    groups: "Sequence[str] | None",
    smallest: float,
) -> list[DoseReport] | None:
    """The dose–response curve of a plan that has doses.

    Args:
        smallest: the smallest effect of interest, in nats.
    """
    from saecli.experiments.doses import responses

    if not plan.doses:
        return None
    left = flipped_ci(results, "dose", plan, groups)
    moved = changed_ci(results, "dose", plan, groups) if segmentation else [None] * len(left)
    return [
        DoseReport(
            value=str(one.value),
            amount=one.value.amount,
            effect=one.effect,
            ci=list(one.interval),
            flipped={
                "from_class": plain(one.left),
                "to_expected": plain(one.gained) if plan.expect else None,
            },
            changed=_sides(one.changed) if segmentation else None,
            random_directions=_pushes(one, smallest, segmentation),
            flipped_ci=left[place],
            changed_ci=moved[place],
        )
        for place, one in enumerate(responses(results, plan.doses, seed=plan.seed, groups=groups))
    ]


def _sides(shares: tuple[float, float]) -> dict[str, float | None]:
    return {"target": plain(shares[0]), "other": plain(shares[1])}


def _pushes(one: "Response", smallest: float, segmentation: bool) -> PushReport:
    return PushReport(
        n=len(one.pushes),
        mean=float(one.pushes.mean()),
        effects=one.pushes.tolist(),
        enough=one.any_push_reaches(smallest),
        from_class=plain(one.pushes_left),
        changed=_sides(one.pushes_changed) if segmentation else None,
    )


def ceiling(
    results: "Results", plan: "Plan", groups: "Sequence[str] | None"
) -> dict[str, Any] | None:
    """What the twins do, and which share of it the edit does; None without twins.

    The share and its interval are null where the twins' own effect is not told apart from none.
    """
    from saecli.experiments.intervals import mean_interval, ratio_interval

    if not results.find("twin"):
        return None
    before = results.margins("baseline")[:, 0]
    edit, twin = (results.margins(kind)[:, 0] - before for kind in ("target", "twin"))
    low, high = mean_interval(twin, seed=plan.seed, groups=groups)
    told = low > 0 or high < 0
    share = list(ratio_interval(edit, twin, seed=plan.seed, groups=groups)) if told else None
    return {
        "effect": float(twin.mean()),
        "ci": [low, high],
        "flipped": flipped(results, "twin", plan),
        "flipped_ci": flipped_ci(results, "twin", plan, groups)[0],
        "share": float(edit.sum() / twin.sum()) if told else None,
        "share_ci": share,
    }


def flipped(results: "Results", kind: str, plan: "Plan") -> dict[str, float | None]:
    """Mean over the arms of a kind of the shares that left A, and that became B."""
    shares = results.flipped(kind)
    return {
        "from_class": _mean_share(shares, 0),
        "to_expected": _mean_share(shares, 1) if plan.expect else None,
    }


def changed(results: "Results", kind: str) -> dict[str, float | None]:
    """Mean over the arms of a kind of the shares of target and other units that changed."""
    shares = results.changed(kind)
    return {"target": _mean_share(shares, 0), "other": _mean_share(shares, 1)}


def flipped_ci(
    results: "Results", kind: str, plan: "Plan", groups: "Sequence[str] | None"
) -> list[Limits]:
    """For each arm of a kind the 95 % intervals of :func:`flipped`'s shares."""
    n = results.n_units("n_a", groups)
    return [
        {
            "from_class": _limits(left, n),
            "to_expected": _limits(gained, n) if plan.expect else None,
        }
        for left, gained in results.flipped_intervals(kind, seed=plan.seed, groups=groups)
    ]


def changed_ci(
    results: "Results", kind: str, plan: "Plan", groups: "Sequence[str] | None"
) -> list[Limits]:
    """For each arm of a kind the 95 % intervals of :func:`changed`'s shares."""
    n, n_other = (results.n_units(name, groups) for name in ("n_target", "n_other"))
    return [
        {"target": _limits(target, n), "other": _limits(other, n_other)}
        for target, other in results.changed_intervals(kind, seed=plan.seed, groups=groups)
    ]


def _limits(found: tuple[float, float], n_units: int) -> list[float] | None:
    from saecli.experiments.results import widened

    low, high = widened(found, n_units)
    return None if np.isnan(low) or np.isnan(high) else [low, high]


def plain(value: float) -> float | None:
    """A number as JSON has it: null for none."""
    return None if np.isnan(value) else value


def _mean_share(shares: list[tuple[float, float]], part: int) -> float | None:
    values = [pair[part] for pair in shares]
    return plain(float(np.mean(values))) if values else None
