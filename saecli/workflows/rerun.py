"""Running an experiment again: the same plan and pictures, compared figure by figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from saecli.catalog.evidence import arm_names
from saecli.catalog.experiments import ExperimentInfo, get_experiment
from saecli.catalog.images import get_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.trials import read_trials
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records import Difference, FamilyPlace, ImageRef, RerunReport, as_json
from saecli.workflows.knockout import publish, run_trials
from saecli.workflows.plans import plan_of
from saecli.workflows.preparation import prepare
from saecli.workflows.shelf import Shelf
from saecli.workflows.verdict import p_value_of, report_of

OWN = (
    "experiment",
    "labels",
    "n_earlier",
)  # of a report: what a rerun has otherwise, whatever it measures

Rows = Sequence[tuple[str, int]]
Trials = Mapping[int, Mapping[str, NDArray[Any]]]


def rerun_experiment(
    catalog: Catalog, invocation: Invocation, number: int, *, device: str, progress: Progress
) -> RerunReport:
    """Run an experiment's plan on its pictures once more, and compare all that it gave.

    The new run is an experiment of its own, on the same hypothesis, that says which it ran again.
    One that was judged among others is judged by its new p beside their stored ones.

    Raises:
        SaecliError: if there is no such experiment, it is unfinished, or something that its plan
            names changed.
        Interrupted: on Ctrl-C; what was run is kept.
    """
    with catalog.reading() as session:
        first = get_experiment(session, number)
        stored = {t.position: t for t in read_trials(session, number)}
        own, together = _judged_together(session, first)
    if first.report is None:
        raise SaecliError(
            f"experiment {number} is unfinished",
            f"go on with the command that began it: {first.command_line}",
        )
    plan = plan_of(first.hypothesis)
    trial = prepare(invocation, plan, Shelf(catalog, device, progress), committed=first.hypothesis)
    ran = run_trials(catalog, invocation, first.hypothesis, trial, progress, again=number)
    if together:
        together[own] = p_value_of(ran)
    report = report_of(ran, place_among(together, own) if together else None)
    publish(catalog, [report])
    with catalog.reading() as session:
        again = get_experiment(session, ran.experiment)
        now = {t.position: t.figures or {} for t in read_trials(session, ran.experiment)}
        images = {
            position: ImageRef(t.image_id, get_image(session, t.image_id).path)
            for position, t in stored.items()
        }
    differences = compare_trials(
        (_rows(first), {position: t.figures or {} for position, t in stored.items()}),
        (_rows(again), now),
        images,
    )
    differences += compare_reports(first.report, as_json(report))
    return RerunReport(
        experiment=number,
        rerun=ran.experiment,
        identical=not differences,
        verdict=report.verdict,
        n_images=len(stored),
        n_arms=len(first.arms),
        differences=differences,
    )


def _judged_together(session: Session, info: ExperimentInfo) -> tuple[int, dict[int, float]]:
    """The p-values of an experiment's family by number, and which of them is its own.

    A rerun's own is that of the experiment that was run again; without a family there are none.
    """
    place = (info.report or {}).get("family")
    if place is None:
        return info.number, {}
    reports = {one: get_experiment(session, one).report or {} for one in place["experiments"]}
    while info.number not in reports:
        info = get_experiment(session, (info.report or {})["extras"]["rerun_of"])
    return info.number, {one: float(report["p_value"]) for one, report in reports.items()}


def place_among(p_values: Mapping[int, float], number: int) -> FamilyPlace:
    """An experiment's place among those judged together, by the p-values that they have now.

    Args:
        p_values: of all of them, in the family's order.
        number: whose place it is.
    """
    from saecli.experiments.families import benjamini_hochberg, holm

    numbers, p = list(p_values), list(p_values.values())
    own = numbers.index(number)
    return FamilyPlace(len(p), numbers, float(holm(p)[own]), float(benjamini_hochberg(p)[own]))


def compare_trials(
    stored: tuple[Rows, Trials], now: tuple[Rows, Trials], images: Mapping[int, ImageRef]
) -> list[Difference]:
    """Where two runs' figures of a picture aren't equal to the last bit.

    Args:
        stored, now: (kind, number) of each row, and the figures by position and name.
        images: by position.

    Returns:
        a row for each picture and figure that differs, with the numbers that do most.
    """
    (rows, before), (rows_now, after) = stored, now
    found = []
    if list(rows) != list(rows_now):
        found.append(Difference("arms", None, None, 1, len(rows), len(rows_now)))
    for position, image in images.items():
        old, new = before[position], after.get(position, {})
        for name in sorted(set(old) | set(new)):
            if name not in old or name not in new or old[name].shape != new[name].shape:
                shapes = [list(one[name].shape) if name in one else None for one in (old, new)]
                found.append(Difference(name, image, None, 1, shapes[0], shapes[1]))
                continue
            a, b = old[name].ravel(), new[name].ravel()
            differs = ~((a == b) | ((a != a) & (b != b)))  # NaN is NaN again
            if not differs.any():
                continue
            gap = np.abs(np.nan_to_num(a - b.astype(np.float64)))
            worst = int(np.argmax(np.where(differs, gap, -1.0)))
            arm = None
            if name == "margin" or old[name].shape == old["margin"].shape:
                kind, number = rows[worst]
                arm = f"{kind} {number}"
            found.append(
                Difference(name, image, arm, int(differs.sum()), a[worst].item(), b[worst].item())
            )
    return found


def compare_reports(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """The report's keys whose values differ, all below them taken together.

    What an earlier saecli did not report at all is no difference.
    """
    found = []
    for name in sorted(set(stored) - {*OWN, "extras"}):
        told = _as_told(stored[name], now.get(name))
        if stored[name] != told:
            found.append(Difference(name, None, None, 1, stored[name], told))
    return found


def _as_told(stored: Any, now: Any) -> Any:
    """``now`` without the keys that ``stored`` does not have, at any depth."""
    if isinstance(stored, dict) and isinstance(now, dict):
        return {key: _as_told(stored[key], now[key]) for key in stored if key in now}
    if isinstance(stored, list) and isinstance(now, list) and len(stored) == len(now):
        return [_as_told(one, other) for one, other in zip(stored, now, strict=True)]
    return now


def _rows(experiment: ExperimentInfo) -> Rows:
    return [("baseline", 0), ("zero_edit", 0), *arm_names(experiment.arms)]
