"""Knock latents out inside the network, against controls, and keep hypothesis, trials, verdict.

The steps are apart, so that a family of hypotheses can be committed whole before the first picture
runs, and judged together: ``prepare`` (see ``preparation``), :func:`register`, :func:`run_trials`,
:meth:`Ran.report`, :func:`publish`. :func:`knock_out` takes them all for one plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.experiments import earlier_on_pictures, publish_experiment, rerun_of
from saecli.catalog.hypotheses import (
    HypothesisInfo,
    add_hypothesis,
    earlier_claim,
    find_hypothesis,
    get_hypothesis,
    plan_hash,
    was_begun,
)
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.errors import Interrupted
from saecli.progress import Progress
from saecli.records import KnockoutReport, as_json
from saecli.workflows.arms import arms_of, prefixes_of
from saecli.workflows.kept_trials import begin_or_resume, keeper
from saecli.workflows.plans import Plan
from saecli.workflows.preparation import Trial, check_size, left_out, prepare
from saecli.workflows.shelf import Shelf
from saecli.workflows.verdict import report_of

if TYPE_CHECKING:
    from saecli.experiments.arms import Arm
    from saecli.experiments.prefixes import Prefixes
    from saecli.experiments.runner import Figures


@dataclass(frozen=True, eq=False)
class Ran:
    """An experiment whose every picture was run; not judged, not published.

    Attributes:
        experiment: its number.
        rows: (kind, number) of each row of the figures.
        target: the edit.
        figures: of the pictures with the class, by position. A picture that was chosen by a
            prediction for its patches, of which the run itself saw none, is left out.
        without: changes of the margin on pictures without it, (n,) in nats (classification).
        n_earlier: other hypotheses about the class judged on some of the pictures before.
        rerun_of: the experiment that this one runs again, if any.
    """

    experiment: int
    hypothesis: HypothesisInfo
    trial: Trial
    rows: tuple[tuple[str, int], ...]
    target: "Arm"
    figures: "dict[int, Figures]"
    without: NDArray[np.float64]
    n_earlier: int
    rerun_of: int | None

    @property
    def groups(self) -> tuple[str, ...] | None:
        """Of each picture of the figures, where the plan has groups."""
        groups = self.trial.groups
        return None if groups is None else tuple(groups[i] for i in sorted(self.figures))

    def report(self) -> KnockoutReport:
        """Apply the plan's rule."""
        return report_of(self)


@dataclass(frozen=True, eq=False)
class Finished:
    """An experiment that was run: its report, its parts, and the edit."""

    report: KnockoutReport
    trial: Trial
    target: "Arm"


def knock_out(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    *,
    device: str,
    progress: Progress,
    committed: HypothesisInfo | None = None,
) -> Finished:
    """Run a plan: the hypothesis first, then every arm on every picture, then the verdict.

    A plan that was interrupted goes on where it stopped.

    Args:
        committed: the hypothesis whose plan this is, if it was registered before.

    Raises:
        SaecliError: if something of the plan is unknown or doesn't fit, changed since it was
            committed, the latents never fire, or too few pictures are left.
        Interrupted: on Ctrl-C; what was run is kept.
    """
    trial = prepare(invocation, plan, Shelf(catalog, device, progress), committed=committed)
    prefixes = prefixes_of(trial, trial.subjects.files)
    arms = arms_of(catalog, trial, prefixes)  # what is refused leaves no hypothesis behind
    hypothesis = committed or register(catalog, invocation, trial)
    ran = run_trials(catalog, invocation, hypothesis, trial, progress, made=(prefixes, arms))
    report = ran.report()
    publish(catalog, [report])
    return Finished(report, trial, ran.target)


def register(
    catalog: Catalog,
    invocation: Invocation,
    trial: Trial,
    *,
    statement: str | None = None,
    registered: bool = False,
    replaces: int | None = None,
) -> HypothesisInfo:
    """Commit a hypothesis before any picture of it runs, or find the one that has this very plan.

    The same claim about the same latents under another plan replaces the one that was begun.

    Args:
        statement: in words; None: the plan's own.
        registered: True where stating it is all that the command does; False is exploratory.
        replaces: the hypothesis that it mends, if that is known.

    Raises:
        SaecliError: if there is no hypothesis to replace.
    """
    plan, told = trial.plan, trial.told
    with catalog.writing() as session:
        digest = plan_hash(session, trial.info, plan.concept, trial.probe_row, told)
        found = find_hypothesis(session, digest)
        if found is not None and replaces in (None, found.replaces):
            same_words = statement in (None, found.statement)
            if not registered or (found.registered and same_words):
                return found
            if was_begun(session, found.number):
                replaces = found.number
        if replaces is not None:
            get_hypothesis(session, replaces)
        number, _ = add_hypothesis(
            session,
            invocation.id,
            statement=statement or plan.statement,
            concept=plan.concept,
            probe=trial.probe_row,
            plan=told,
            registered=registered,
            replaces=replaces or earlier_claim(session, plan.concept, trial.probe_row, told),
        )
        return get_hypothesis(session, number)


def run_trials(
    catalog: Catalog,
    invocation: Invocation,
    hypothesis: HypothesisInfo,
    trial: Trial,
    progress: Progress,
    *,
    made: "tuple[Prefixes, list[Arm]] | None" = None,
    again: int | None = None,
) -> Ran:
    """Run every arm on every picture; an interrupted run goes on where it stopped.

    After the pictures with the class come those without it, under the target edit alone. A plan
    that has a verdict on these very pictures is run all the same, which is said.

    Args:
        again: the experiment that is run again.
        made: the pictures' prefixes and the arms, where they are there already.

    Raises:
        SaecliError: if the latents never fire, too few others do to make controls, or too few
            pictures have a patch of the class once they are run.
        Interrupted: on Ctrl-C; what was run is kept, a batch at most is lost.
    """
    from saecli.experiments.runner import rows, run

    if made is None:
        prefixes = prefixes_of(trial, trial.subjects.files)
        made = prefixes, arms_of(catalog, trial, prefixes)
    prefixes, arms = made
    experiment, figures, before = begin_or_resume(catalog, invocation, hypothesis, trial, arms)
    with catalog.reading() as session:
        again = again or rerun_of(session, experiment)
    if before and again is None:
        progress.say(
            f"experiment {before[-1]} tested this very plan on these pictures: another run of it "
            f"is no further evidence (saecli rerun experiment:{before[-1]} compares every figure)"
        )
    n = len(trial.subjects)
    total = n + len(trial.without)
    try:
        with progress.task("trials", total, "images") as task:
            task.advance(len(figures))
            run(
                trial.bench,
                arms,
                prefixes,
                on_pictures=keeper(catalog, experiment, figures, task),
                regions=trial.regions,
                twins=None if trial.twins is None else prefixes_of(trial, trial.twins),
                done={position for position in figures if position < n},
            )
            run(
                trial.bench,
                arms[:1],
                prefixes_of(trial, trial.without.files),
                on_pictures=keeper(catalog, experiment, figures, task, first=n),
                done={position - n for position in figures if position >= n},
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"experiment {experiment} was interrupted after {len(figures)} of "
            f"{total} pictures, which are kept",
            "go on with the same command",
        ) from None
    target = 2  # the row after the baseline's and the zero edit's
    with catalog.reading() as session:
        n_earlier = earlier_on_pictures(
            session,
            experiment,
            probe=trial.probe_row.id,
            class_name=trial.plan.class_name,
            image_ids=trial.image_ids,
        )
    # A last bit decides between two classes, and passes of another shape differ in it.
    seen = {position: figures[position] for position in range(n) if figures[position]["n_target"]}
    groups = None if trial.groups is None else [trial.groups[i] for i in seen]
    taken = left_out(trial.n_excluded, trial.n_excluded_by_group, n - len(seen))
    check_size(trial.plan, len(seen), groups, taken)
    without = [figures[i]["margin"][target] - figures[i]["margin"][0] for i in range(n, total)]
    return Ran(
        experiment,
        hypothesis,
        trial,
        tuple(rows(arms)),
        arms[0],
        seen,
        np.array(without, dtype=np.float64),
        n_earlier,
        again,
    )


def publish(catalog: Catalog, reports: Sequence[KnockoutReport]) -> None:
    """Keep the verdicts of experiments, all at once or none."""
    with catalog.writing() as session:
        for report in reports:
            publish_experiment(
                session,
                report.experiment,
                verdict=report.verdict,
                effect=report.effect,
                ci=(report.ci[0], report.ci[1]),
                p_value=report.p_value,
                report=as_json(report),
            )
