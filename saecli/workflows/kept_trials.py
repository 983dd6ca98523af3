"""An experiment's trials in the catalog: begun or gone on with, and kept batch by batch."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from saecli.catalog.experiments import begin_experiment, finished_on, unfinished_experiment
from saecli.catalog.hypotheses import HypothesisInfo
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.trials import add_trials, read_trials
from saecli.progress import Task
from saecli.workflows.preparation import Trial

if TYPE_CHECKING:
    from saecli.experiments.arms import Arm
    from saecli.experiments.runner import Figures


def begin_or_resume(
    catalog: Catalog,
    invocation: Invocation,
    hypothesis: HypothesisInfo,
    trial: Trial,
    arms: "Sequence[Arm]",
) -> "tuple[int, dict[int, Figures], list[int]]":
    """The experiment's number, and what an interrupted run of it has by position.

    A new one's earlier finished runs of the same plan on the same pictures come with it, whichever
    hypothesis they were of.
    """
    image_ids = [*trial.image_ids, *trial.without_ids]
    described = [(arm.kind, arm.description) for arm in arms]
    with catalog.writing() as session:
        found = unfinished_experiment(
            session, hypothesis.number, image_ids=image_ids, arms=described
        )
        if found is None:
            before = finished_on(session, hypothesis.hash, image_ids)
            begun = begin_experiment(
                session,
                invocation.id,
                hypothesis=hypothesis.number,
                seed=trial.plan.seed,
                image_ids=image_ids,
                arms=described,
            )
            return begun, {}, before
    with catalog.reading() as session:
        trials = read_trials(session, found)
    return found, {one.position: one.figures for one in trials if one.figures is not None}, []


def keeper(
    catalog: Catalog,
    experiment: int,
    figures: "dict[int, Figures]",
    task: Task,
    first: int = 0,
) -> "Callable[[dict[int, Figures]], None]":
    """What keeps a batch's figures, given by position from ``first`` on, as soon as it is run."""

    def keep(found: "dict[int, Figures]") -> None:
        placed = {first + position: one for position, one in found.items()}
        with catalog.writing() as session:
            add_trials(session, experiment, placed.items())
        figures.update(placed)
        task.advance(len(placed))

    return keep
