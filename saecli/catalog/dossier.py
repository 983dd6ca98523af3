"""What a report tells of latents and experiments, each with the command that made it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.profiles import ProfileInfo
from saecli.catalog.tables import (
    Comparison,
    Dictionary,
    Experiment,
    Hypothesis,
    HypothesisLatent,
    Invocation,
    Label,
    LabelClosure,
    Latent,
    Match,
    Meta,
    Profile,
)
from saecli.refs import Concept, latent_ref


@dataclass(frozen=True)
class Made:
    """The run of a command that made something."""

    command: str  # as it can be typed again
    started: datetime
    seed: int | None
    versions: Mapping[str, str]


@dataclass(frozen=True)
class LabelEnd:
    """Who ended a label, how, and by which experiment."""

    status: str  # refuted or retired
    author: str
    note: str | None
    experiment: int | None


@dataclass(frozen=True)
class LabelEntry:
    """A label with all that its author said, and how it ended."""

    number: int
    text: str
    author: str
    automatic: bool  # given by a labeller, not by a person
    created: datetime
    status: str  # current, superseded, refuted or retired
    confidence: float | None
    note: str | None
    evidence: Mapping[str, Any] | None
    ends: tuple[LabelEnd, ...]
    made: Made


@dataclass(frozen=True)
class MatchEntry:
    """A candidate of a comparison."""

    concept: Concept
    score: float
    ci: tuple[float, float] | None
    p_value: float | None


@dataclass(frozen=True)
class ComparisonEntry:
    """The newest search for a latent's counterpart in one dictionary."""

    target: str
    method: str
    n_images: int
    n_active: int
    counterpart: str | None
    reason: str | None
    untrained_score: float | None
    beyond_untrained: bool | None
    matches: tuple[MatchEntry, ...]
    made: Made


def catalog_id(session: Session) -> str:
    """The catalog's identity."""
    return session.scalars(select(Meta.catalog_id)).one()


def dictionary_made(session: Session, dictionary: DictionaryInfo) -> Made:
    """The command that trained a dictionary."""
    return _made(session, session.get_one(Dictionary, dictionary.id).invocation_id)


def profile_made(session: Session, profile: ProfileInfo) -> Made:
    """The command that profiled a dictionary."""
    return _made(session, session.get_one(Profile, profile.id).invocation_id)


def experiment_made(session: Session, number: int) -> Made:
    """The command that ran an experiment."""
    return _made(session, session.get_one(Experiment, number).invocation_id)


def hypothesis_made(session: Session, number: int) -> Made:
    """The command that stated a hypothesis."""
    return _made(session, session.get_one(Hypothesis, number).invocation_id)


def label_entries(session: Session, concept: Concept) -> list[LabelEntry]:
    """All labels that a latent ever had, newest first.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, (latent_id, *_) = get_latents(session, concept)
    labels = session.scalars(
        select(Label).where(Label.latent_id == latent_id).order_by(Label.id.desc())
    ).all()
    closures = session.scalars(
        select(LabelClosure)
        .where(LabelClosure.label_id.in_([label.id for label in labels]))
        .order_by(LabelClosure.id)
    ).all()
    superseded = {label.supersedes_id for label in labels}
    return [
        LabelEntry(
            number=label.id,
            text=label.text,
            author=label.author,
            automatic=label.kind != "person",
            created=label.created,
            status=_status(label, ended, superseded),
            confidence=label.confidence,
            note=label.note,
            evidence=label.evidence,
            ends=tuple(
                LabelEnd(one.status, one.author, one.note, one.experiment_id) for one in ended
            ),
            made=_made(session, label.invocation_id),
        )
        for label in labels
        for ended in [[one for one in closures if one.label_id == label.id]]
    ]


def _status(label: Label, ended: Sequence[LabelClosure], superseded: set[int | None]) -> str:
    if ended:
        return ended[0].status
    return "superseded" if label.id in superseded else "current"


def comparison_entries(
    session: Session, concept: Concept, *, top: int = 5
) -> list[ComparisonEntry]:
    """The newest comparison of a latent with each other dictionary, matches best first.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, ids = get_latents(session, concept)
    newest = (
        select(func.max(Comparison.id))
        .where(Comparison.latent_id.in_(ids))
        .group_by(Comparison.target_id)
    )
    rows = session.execute(
        select(Comparison, Dictionary.name)
        .join(Dictionary, Comparison.target_id == Dictionary.id)
        .where(Comparison.id.in_(newest))
        .order_by(Comparison.id)
    ).all()
    return [
        ComparisonEntry(
            target=name,
            method=row.method,
            n_images=row.n_images,
            n_active=row.n_active,
            counterpart=_counterpart(session, row, name),
            reason=row.reason,
            untrained_score=row.untrained_score,
            beyond_untrained=row.beyond_untrained,
            matches=_matches(session, row, name, top),
            made=_made(session, row.invocation_id),
        )
        for row, name in rows
    ]


def experiments_on(session: Session, concept: Concept) -> list[int]:
    """The numbers of the finished experiments that edited a latent, oldest first.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, ids = get_latents(session, concept)
    return list(
        session.scalars(
            select(Experiment.id)
            .join(HypothesisLatent, HypothesisLatent.hypothesis_id == Experiment.hypothesis_id)
            .where(HypothesisLatent.latent_id.in_(ids), Experiment.verdict.is_not(None))
            .order_by(Experiment.id)
        ).unique()
    )


def _counterpart(session: Session, row: Comparison, target: str) -> str | None:
    if row.counterpart_id is None:
        return None
    return latent_ref(target, session.get_one(Latent, row.counterpart_id).number)


def _matches(session: Session, row: Comparison, target: str, top: int) -> tuple[MatchEntry, ...]:
    found = session.execute(
        select(Match, Latent.number)
        .join(Latent, Match.latent_id == Latent.id)
        .where(Match.comparison_id == row.id, Match.rank < top)
        .order_by(Match.rank)
    )
    return tuple(
        MatchEntry(
            concept=Concept(target, (number,)),
            score=match.score,
            ci=(
                None
                if match.ci_low is None or match.ci_high is None
                else (match.ci_low, match.ci_high)
            ),
            p_value=match.p_value,
        )
        for match, number in found
    )


def _made(session: Session, invocation_id: int) -> Made:
    row = session.get_one(Invocation, invocation_id)
    words = ["saecli", *row.command.split(), *map(str, row.arguments)]
    return Made(shlex.join(words), row.started, row.seed, row.versions)
