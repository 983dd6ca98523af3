"""Labels: what people and automatic labellers call latents. Rows are only added."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.tables import Experiment, HypothesisLatent, Label, LabelClosure, Latent
from saecli.errors import SaecliError
from saecli.records import LabelReport, LabelRow, RefutedLabelReport
from saecli.refs import Concept, latent_ref

LONGEST = 500  # characters: a label is what a table shows; the rest belongs into the note


def is_current() -> ColumnElement[bool]:
    """The condition that a row of `label` is the last of its latent's, and still holds."""
    successor = aliased(Label)
    return ~(
        select(successor.id).where(successor.supersedes_id == Label.id).exists()
        | select(LabelClosure.label_id).where(LabelClosure.label_id == Label.id).exists()
    )


def add_label(
    session: Session,
    invocation: int,
    concept: Concept,
    text: str,
    *,
    author: str,
    note: str | None = None,
    confidence: float | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> LabelReport:
    """Give a latent a label; the one it had is superseded and stays in the history.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        concept: one latent.
        text: the label; white space around it and line breaks are dropped.
        author: a person, or the automatic labeller and its version.
        note: anything more.
        confidence: of the author, from 0 to 1.
        evidence: what it rests on, as `{"experiment": 12}`; plain JSON values.

    Raises:
        SaecliError: if there is no such latent, the text or author is blank, the text is too long,
            or the confidence is no share.
    """
    dictionary, latent_id = _one_latent(session, concept)
    text, author = " ".join(text.split()), author.strip()
    if not text:
        raise SaecliError("the label is blank", "say in a few words what the latent responds to")
    if len(text) > LONGEST:
        raise SaecliError(
            f"the label is {len(text):,} characters long, and {LONGEST} are allowed",
            "give the rest as --note",
        )
    if not author:
        raise SaecliError("the label has no author", "say who gives it with --author")
    if confidence is not None and not 0 <= confidence <= 1:
        raise SaecliError(f"a confidence of {confidence:g} is no share", "give one from 0 to 1")
    last = _last_label(session, latent_id)
    row = Label(
        uuid=str(uuid.uuid4()),
        latent_id=latent_id,
        text=text,
        author=author,
        note=note,
        confidence=confidence,
        evidence=None if evidence is None else dict(evidence),
        supersedes_id=None if last is None else last.id,
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    return LabelReport(latent_ref(dictionary.name, concept.latents[0]), text, row.id)


def close_label(
    session: Session,
    invocation: int,
    concept: Concept,
    *,
    status: str,
    author: str,
    note: str | None = None,
    experiment: int | None = None,
) -> LabelRow:
    """End a latent's current label without a new one: `refuted` (by an experiment) or `retired`.

    Raises:
        SaecliError: if the latent has no current label, or there is no such experiment.
    """
    dictionary, latent_id = _one_latent(session, concept)
    last = _last_label(session, latent_id)
    if last is None or session.get(LabelClosure, last.id) is not None:
        raise SaecliError(
            f"{latent_ref(dictionary.name, concept.latents[0])} has no current label",
            "give it one with saecli label",
        )
    if experiment is not None and session.get(Experiment, experiment) is None:
        raise _no_experiment(experiment)
    session.add(
        LabelClosure(
            label_id=last.id,
            status=status,
            author=author,
            note=note,
            experiment_id=experiment,
            invocation_id=invocation,
        )
    )
    session.flush()
    return LabelRow(last.id, last.text, last.author, last.created, status, last.note)


def refute_label(
    session: Session,
    invocation: int,
    concept: Concept,
    experiment: int,
    *,
    author: str,
    note: str | None = None,
) -> RefutedLabelReport:
    """End a latent's current label by an experiment that edited the latent.

    Raises:
        SaecliError: if the latent has no current label, or the experiment is none that finished,
            or edited other latents.
    """
    dictionary, latent_id = _one_latent(session, concept)
    ref = latent_ref(dictionary.name, concept.latents[0])
    row = session.get(Experiment, experiment)
    if row is None:
        raise _no_experiment(experiment)
    if row.verdict is None:
        raise SaecliError(
            f"experiment {experiment} is unfinished, so it can't speak against a label",
            "go on with the command that began it",
        )
    edited = select(HypothesisLatent).where(
        HypothesisLatent.hypothesis_id == row.hypothesis_id,
        HypothesisLatent.latent_id == latent_id,
    )
    if session.scalar(edited) is None:
        raise SaecliError(
            f"experiment {experiment} did not edit {ref}, so it says nothing about its label",
            f"name one that did (saecli experiments --latent {ref})",
        )
    closed = close_label(
        session,
        invocation,
        concept,
        status="refuted",
        author=author,
        note=note,
        experiment=experiment,
    )
    return RefutedLabelReport(
        ref, closed.text, closed.number, closed.status, experiment, row.verdict
    )


def label_history(session: Session, concept: Concept) -> list[LabelRow]:
    """All labels that a latent ever had, newest first, each with what became of it.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, latent_id = _one_latent(session, concept)
    rows = session.execute(
        select(Label, LabelClosure.status)
        .outerjoin(LabelClosure, LabelClosure.label_id == Label.id)
        .where(Label.latent_id == latent_id)
        .order_by(Label.id.desc())
    ).all()
    superseded = {label.supersedes_id for label, _ in rows}
    return [
        LabelRow(
            label.id,
            label.text,
            label.author,
            label.created,
            status or ("superseded" if label.id in superseded else "current"),
            label.note,
        )
        for label, status in rows
    ]


def current_labels(
    session: Session, dictionary: DictionaryInfo, indices: Iterable[int] | None = None
) -> dict[int, str]:
    """The labels that hold, by index; of all latents if none are named."""
    rows = session.execute(
        select(Latent.number, Label.text)
        .join(Label, Label.latent_id == Latent.id)
        .where(Latent.dictionary_id == dictionary.id, is_current())
    )
    labels = {row.number: row.text for row in rows}
    return labels if indices is None else {i: labels[i] for i in indices if i in labels}


def _no_experiment(number: int) -> SaecliError:
    return SaecliError(
        f"there is no experiment:{number}", "see which there are with saecli experiments"
    )


def _one_latent(session: Session, concept: Concept) -> tuple[DictionaryInfo, int]:
    dictionary, ids = get_latents(session, Concept(concept.dictionary, concept.latents[:1]))
    return dictionary, ids[0]


def _last_label(session: Session, latent_id: int) -> Label | None:
    successor = aliased(Label)
    return session.scalar(
        select(Label).where(
            Label.latent_id == latent_id,
            ~select(successor.id).where(successor.supersedes_id == Label.id).exists(),
        )
    )
