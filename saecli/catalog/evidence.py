"""What is known of hypotheses and of the experiments that test them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import get_dictionary, get_latents
from saecli.catalog.experiments import ExperimentInfo, get_experiment, rerun_of
from saecli.catalog.hypotheses import HypothesisInfo, get_hypothesis
from saecli.catalog.labels import current_labels
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Experiment, Hypothesis, HypothesisLatent, Image
from saecli.catalog.trials import TrialFigures, read_trials
from saecli.records import (
    ExperimentSummary,
    HypothesisRow,
    ImageRef,
    ShowExperimentReport,
    ShowHypothesisReport,
    ShownArm,
    ShownTrial,
)
from saecli.refs import Concept, latent_ref

BASELINE, TARGET = 0, 2  # rows of every picture's figures; between them the zero edit's


def hypothesis_rows(session: Session) -> list[HypothesisRow]:
    """All hypotheses, oldest first."""
    numbers = session.scalars(select(Hypothesis.id).order_by(Hypothesis.id)).all()
    return [_row(session, get_hypothesis(session, number)) for number in numbers]


def experiment_summaries(
    session: Session,
    *,
    verdict: str | None = None,
    class_name: str | None = None,
    registered: bool | None = None,
    latent: Concept | None = None,
    hypothesis: int | None = None,
) -> list[ExperimentSummary]:
    """The finished experiments, oldest first, of which all that is asked for is true.

    Args:
        session: of the catalog.
        verdict: their verdict.
        class_name: the class whose prediction should fall.
        registered: stated before the run, or exploratory.
        latent: among those that were edited; of a set, all of them.
        hypothesis: that they tested.

    Raises:
        SaecliError: if there is no such latent.
    """
    chosen = (
        select(Experiment)
        .join(Hypothesis, Experiment.hypothesis_id == Hypothesis.id)
        .where(Experiment.verdict.is_not(None))
        .order_by(Experiment.id)
    )
    if verdict is not None:
        chosen = chosen.where(Experiment.verdict == verdict)
    if registered is not None:
        chosen = chosen.where(Hypothesis.registered.is_(registered))
    if hypothesis is not None:
        chosen = chosen.where(Experiment.hypothesis_id == hypothesis)
    if latent is not None:
        _, ids = get_latents(session, latent)
        for row in ids:
            about = select(HypothesisLatent.hypothesis_id).where(HypothesisLatent.latent_id == row)
            chosen = chosen.where(Experiment.hypothesis_id.in_(about))
    found = (_summary(session, row) for row in session.scalars(chosen).all())
    return [one for one in found if class_name in (None, one.class_)]


def show_hypothesis(session: Session, number: int) -> ShowHypothesisReport:
    """All that is known of a hypothesis.

    Raises:
        SaecliError: if there is none of that number.
    """
    info = get_hypothesis(session, number)
    newer = select(Hypothesis.id).where(Hypothesis.replaces_id == number).order_by(Hypothesis.id)
    row = _row(session, info)
    return ShowHypothesisReport(
        number=number,
        hash=info.hash,
        statement=info.statement,
        registered=info.registered,
        replaces=info.replaces,
        replaced_by=list(session.scalars(newer)),
        latents=row.latents,
        labels=row.labels,
        probe=info.probe,
        plan=info.plan,
        created=info.created,
        command=info.command,
        experiments=experiment_summaries(session, hypothesis=number),
        unfinished=[one for one, verdict in row.verdicts.items() if verdict is None],
        tested_before=list(info.tested_before),
    )


def show_experiment(session: Session, number: int) -> ShowExperimentReport:
    """All that is known of an experiment: plan, arms, pictures, report.

    Raises:
        SaecliError: if there is none of that number.
    """
    info = get_experiment(session, number)
    trials = read_trials(session, number)
    paths: dict[int, str] = {}
    for chunk in chunks(trial.image_id for trial in trials):
        rows = session.execute(select(Image.id, Image.path).where(Image.id.in_(chunk)))
        paths.update((image_id, path) for image_id, path in rows)
    n_arms = len(info.arms)
    return ShowExperimentReport(
        number=number,
        hypothesis=_row(session, info.hypothesis),
        hash=info.hypothesis.hash,
        plan=info.hypothesis.plan,
        seed=info.seed,
        created=info.created,
        command=info.command,
        verdict=info.verdict,
        report=info.report,
        arms=_arms(info, trials),
        trials=[
            ShownTrial(
                ImageRef(trial.image_id, paths[trial.image_id]),
                _ran_all(trial, n_arms) if trial.figures else None,
                _margin(trial, BASELINE),
                _margin(trial, TARGET),
            )
            for trial in trials
        ],
        rerun_of=rerun_of(session, number),
        reruns=[
            one
            for one, report in session.execute(
                select(Experiment.id, Experiment.report)
                .where(Experiment.hypothesis_id == info.hypothesis.number)
                .order_by(Experiment.id)
            )
            if _rerun_of(report) == number
        ],
    )


def arm_names(arms: Iterable[tuple[str, Any]]) -> list[tuple[str, int]]:
    """(kind, number within the kind) of each arm, in order."""
    seen: Counter[str] = Counter()
    names = []
    for kind, _ in arms:
        names.append((kind, seen[kind]))
        seen[kind] += 1
    return names


def labels_of(session: Session, concept: Concept) -> dict[str, str]:
    """The current labels of a concept's latents, by reference."""
    dictionary = get_dictionary(session, concept.dictionary)
    found = current_labels(session, dictionary, concept.latents)
    return {latent_ref(concept.dictionary, index): text for index, text in found.items()}


def _row(session: Session, info: HypothesisInfo) -> HypothesisRow:
    experiments = session.execute(
        select(Experiment.id, Experiment.verdict)
        .where(Experiment.hypothesis_id == info.number)
        .order_by(Experiment.id)
    )
    return HypothesisRow(
        number=info.number,
        statement=info.statement,
        registered=info.registered,
        replaces=info.replaces,
        latents=_refs(info.concept),
        labels=labels_of(session, info.concept),
        class_=info.plan.get("class_name"),
        expect=info.plan.get("expect"),
        created=info.created,
        verdicts={row.id: row.verdict for row in experiments},
        tested_before=list(info.tested_before),
    )


def _summary(session: Session, row: Experiment) -> ExperimentSummary:
    info = get_hypothesis(session, row.hypothesis_id)
    report = row.report or {}
    low, high = row.ci_low, row.ci_high
    return ExperimentSummary(
        number=row.id,
        hypothesis=info.number,
        registered=info.registered,
        verdict=row.verdict or "",
        latents=_refs(info.concept),
        labels=labels_of(session, info.concept),
        class_=info.plan.get("class_name"),
        expect=info.plan.get("expect"),
        value=info.plan.get("value"),
        n_images=report.get("n_images"),
        effect=float("nan") if row.effect is None else row.effect,
        ci=[float("nan") if limit is None else limit for limit in (low, high)],
        p_value=float("nan") if row.p_value is None else row.p_value,
        rerun_of=_rerun_of(row.report),
        created=row.created,
        replaces=info.replaces,
        holm_p=(report.get("family") or {}).get("holm_p"),
        tested_before=list(info.tested_before),
    )


def _refs(concept: Concept) -> list[str]:
    return [latent_ref(concept.dictionary, index) for index in concept.latents]


def _rerun_of(report: dict[str, Any] | None) -> int | None:
    found = (report or {}).get("extras", {}).get("rerun_of")
    return None if found is None else int(found)


def _ran_all(trial: TrialFigures, n_arms: int) -> bool:
    """Whether a picture that was run had every arm, as those with the class have."""
    return trial.figures is not None and len(trial.figures["margin"]) == TARGET + n_arms


def _margin(trial: TrialFigures, row: int) -> float | None:
    return None if trial.figures is None else float(trial.figures["margin"][row])


def _arms(info: ExperimentInfo, trials: list[TrialFigures]) -> list[ShownArm]:
    """The arms with the mean change of the margin under each, over pictures with the class."""
    import numpy as np

    n_arms = len(info.arms)
    margins = [
        trial.figures["margin"] for trial in trials if trial.figures and _ran_all(trial, n_arms)
    ]
    effects: list[float | None] = [None] * n_arms
    if margins:
        stacked = np.stack(margins)
        effects = (stacked - stacked[:, :1]).mean(axis=0)[TARGET:].tolist()
    return [
        ShownArm(kind, number, info.arms[i][1], effects[i])
        for i, (kind, number) in enumerate(arm_names(info.arms))
    ]
