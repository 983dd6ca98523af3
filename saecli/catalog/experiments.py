"""Experiments: runs of a hypothesis's plan, picture by picture, and their verdicts."""

import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from saecli.catalog.hypotheses import HypothesisInfo, get_hypothesis, tested_before
from saecli.catalog.opening import catalog_of
from saecli.catalog.queries import insert_rows
from saecli.catalog.tables import (
    Arm,
    Experiment,
    Hypothesis,
    HypothesisLatent,
    Invocation,
    Trial,
)
from saecli.errors import SaecliError
from saecli.records import ExperimentRow


@dataclass(frozen=True)
class ExperimentInfo:
    """A run of a hypothesis's plan; without a verdict it is unfinished."""

    number: int
    hypothesis: HypothesisInfo
    seed: int
    verdict: str | None
    report: dict[str, Any] | None
    arms: tuple[tuple[str, dict[str, Any]], ...]  # (kind, description) by number
    created: datetime
    command: str  # that ran it
    command_line: str  # the same as it was typed


def begin_experiment(
    session: Session,
    invocation: int,
    *,
    hypothesis: int,
    seed: int,
    image_ids: Sequence[int],
    arms: Sequence[tuple[str, Mapping[str, Any]]],
) -> int:
    """Write down what will be run, before the first picture is; returns the experiment's number.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        hypothesis: that is tested.
        seed: of the controls.
        image_ids: the pictures, in order.
        arms: (kind, description) of each edit, in the order that trials' arrays have.
    """
    row = Experiment(
        uuid=str(uuid.uuid4()), hypothesis_id=hypothesis, seed=seed, invocation_id=invocation
    )
    session.add(row)
    session.flush()
    insert_rows(
        session,
        Arm,
        [
            {"experiment_id": row.id, "number": i, "kind": kind, "description": dict(description)}
            for i, (kind, description) in enumerate(arms)
        ],
    )
    insert_rows(
        session,
        Trial,
        [
            {"experiment_id": row.id, "position": i, "image_id": int(image_id), "figures": None}
            for i, image_id in enumerate(image_ids)
        ],
    )
    return row.id


def unfinished_experiment(
    session: Session,
    hypothesis: int,
    *,
    image_ids: Sequence[int],
    arms: Sequence[tuple[str, Mapping[str, Any]]],
) -> int | None:
    """The newest interrupted run of a hypothesis with the same arms on the same pictures."""
    numbers = session.scalars(
        select(Experiment.id)
        .where(Experiment.hypothesis_id == hypothesis, Experiment.verdict.is_(None))
        .order_by(Experiment.id.desc())
    )
    for number in numbers:
        wanted = [(kind, dict(description)) for kind, description in arms]
        if _pictures(session, number) == list(image_ids) and _arms(session, number) == wanted:
            return number
    return None


def earlier_on_pictures(
    session: Session, experiment: int, *, probe: int, class_name: str, image_ids: Sequence[int]
) -> int:
    """How many other hypotheses about a class have a verdict on some of these pictures by now.

    The same plan under another hypothesis is no other.

    Whoever tries many sets of latents on one set of pictures finds one that does well there.

    Args:
        experiment: the one that is to be judged; one begun after it may have its verdict before.
        probe: its row's number; whose prediction.
        image_ids: the pictures with the class.
    """
    own = (
        select(Hypothesis.plan_hash)
        .join(Experiment, Experiment.hypothesis_id == Hypothesis.id)
        .where(Experiment.id == experiment)
        .scalar_subquery()
    )
    met = select(Trial.experiment_id).where(Trial.image_id.in_(list(image_ids)))
    found = session.scalar(
        select(func.count(Experiment.hypothesis_id.distinct()))
        .join(Hypothesis, Experiment.hypothesis_id == Hypothesis.id)
        .where(
            Experiment.verdict.is_not(None),
            Hypothesis.plan_hash != own,
            Hypothesis.probe_id == probe,
            Hypothesis.plan["class_name"].as_string() == class_name,
            Experiment.id.in_(met),
        )
    )
    return found or 0


def publish_experiment(
    session: Session,
    experiment: int,
    *,
    verdict: str,
    effect: float,
    ci: tuple[float, float],
    p_value: float,
    report: Mapping[str, Any],
) -> None:
    """Keep the verdict, with the whole report as plain JSON values."""
    session.execute(
        update(Experiment)
        .where(Experiment.id == experiment)
        .values(
            verdict=verdict,
            effect=effect,
            ci_low=ci[0],
            ci_high=ci[1],
            p_value=p_value,
            report=dict(report),
        )
    )


def get_experiment(session: Session, number: int) -> ExperimentInfo:
    """The experiment of a number.

    Raises:
        SaecliError: if there is none.
    """
    row = session.get(Experiment, number)
    if row is None:
        raise SaecliError(
            f"there is no experiment:{number} in {catalog_of(session).name}",
            "see which there are with saecli experiments",
        )
    begun = session.get_one(Invocation, row.invocation_id)
    return ExperimentInfo(
        row.id,
        get_hypothesis(session, row.hypothesis_id),
        row.seed,
        row.verdict,
        row.report,
        tuple(_arms(session, number)),
        row.created,
        begun.command,
        shlex.join(["saecli", *begun.command.split(), *begun.arguments]),
    )


def rerun_of(session: Session, number: int) -> int | None:
    """The experiment that an experiment runs again, also while it is unfinished; None for none."""
    row = session.get_one(Experiment, number)
    if row.report is not None:
        found = row.report.get("extras", {}).get("rerun_of")
    else:
        begun = session.get_one(Invocation, row.invocation_id)
        found = begun.settings.get("experiment") if begun.command == "rerun" else None
    first = None if found is None else session.get(Experiment, int(found))
    same = first is not None and first.hypothesis_id == row.hypothesis_id
    return first.id if first is not None and same else None


def finished_on(session: Session, plan_hash: str, image_ids: Sequence[int]) -> list[int]:
    """The finished experiments with a plan, under any hypothesis, on these very pictures.

    Oldest first.
    """
    numbers = session.scalars(
        select(Experiment.id)
        .join(Hypothesis, Experiment.hypothesis_id == Hypothesis.id)
        .where(Hypothesis.plan_hash == plan_hash, Experiment.verdict.is_not(None))
        .order_by(Experiment.id)
    )
    return [number for number in numbers if _pictures(session, number) == list(image_ids)]


def experiment_rows(session: Session, latent: int | None = None) -> list[ExperimentRow]:
    """The finished experiments, oldest first; those on a latent (its row number) if given."""
    chosen = (
        select(Experiment.id, Experiment.verdict, Hypothesis)
        .join(Hypothesis, Experiment.hypothesis_id == Hypothesis.id)
        .where(Experiment.verdict.is_not(None))
        .order_by(Experiment.id)
    )
    if latent is not None:
        about = select(HypothesisLatent.hypothesis_id).where(HypothesisLatent.latent_id == latent)
        chosen = chosen.where(Experiment.hypothesis_id.in_(about))
    return [
        ExperimentRow(
            number, stated.id, verdict, stated.registered, list(tested_before(session, stated))
        )
        for number, verdict, stated in session.execute(chosen).all()
    ]


def _pictures(session: Session, number: int) -> list[int]:
    found = select(Trial.image_id).where(Trial.experiment_id == number).order_by(Trial.position)
    return list(session.scalars(found))


def _arms(session: Session, number: int) -> list[tuple[str, dict[str, Any]]]:
    rows = session.execute(
        select(Arm.kind, Arm.description).where(Arm.experiment_id == number).order_by(Arm.number)
    )
    return [(kind, description) for kind, description in rows]
