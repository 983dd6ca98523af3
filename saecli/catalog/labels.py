"""Labels: what people and automatic labellers call latents. Rows are only added."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.tables import Experiment, HypothesisLatent, Label, LabelClosure, Latent
from saecli.errors import SaecliError
from saecli.records import EndedLabelReport, LabelReport, LabelRow
from saecli.refs import Concept, latent_ref

PERSON, LABELLER = "person", "labeller"  # what kind of author: the two never replace each other
LONGEST = 500  # characters: a label is what a table shows; the rest belongs into the note


def is_current() -> ColumnElement[bool]:
    """The condition that a row of `label` holds: nothing supersedes it, and nothing ended it."""
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
    kind: str = PERSON,
    note: str | None = None,
    confidence: float | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> LabelReport:
    """Give a latent a label; the one it takes the place of stays in the history.

    A person's label takes the place of every person's that holds, an automatic labeller's of the
    same labeller's; the two never touch each other.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        concept: one latent.
        text: the label; white space around it and line breaks are dropped.
        author: a person, or the automatic labeller and, after a space, its version.
        kind: `person` or `labeller`.
        note: anything more.
        confidence: of the author, from 0 to 1.
        evidence: what it rests on, by UUID or digest; plain JSON values.

    Raises:
        SaecliError: if there is no such latent, the text or author is blank, the text is too long,
            or the confidence is no share.
    """
    dictionary, latent_id = _one_latent(session, concept)
    text, author = checked_words(text, author, confidence)
    last = [
        label
        for label in _last_labels(session, latent_id, kind)
        if kind == PERSON or labeller_name(label.author) == labeller_name(author)
    ]
    holding = [label for label in last if not _is_closed(session, label)]
    before = (holding or last)[-1:]
    row = Label(
        uuid=str(uuid.uuid4()),
        latent_id=latent_id,
        text=text,
        author=author,
        kind=kind,
        note=note,
        confidence=confidence,
        evidence=None if evidence is None else dict(evidence),
        supersedes_id=before[0].id if before else None,
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    for other in holding[:-1]:
        _close(session, invocation, other, "retired", author, note=f"label {row.id} took its place")
    return LabelReport(latent_ref(dictionary.name, concept.latents[0]), text, row.id)


def checked_words(text: str, author: str, confidence: float | None) -> tuple[str, str]:
    """A label's text without line breaks, and its author without white space around.

    Raises:
        SaecliError: if either is blank, the text is too long, or the confidence is no share.
    """
    text, author = " ".join(text.split()), author.strip()
    if not text:
        raise SaecliError("the label is blank", "say in a few words what the latent responds to")
    if len(text) > LONGEST:
        raise SaecliError(
            f"the label is {len(text):,} characters long, and {LONGEST} are allowed",
            "give the rest as a note",
        )
    if not author:
        raise SaecliError("the label has no author", "say who gives it with --author")
    if confidence is not None and not 0 <= confidence <= 1:
        raise SaecliError(f"a confidence of {confidence:g} is no share", "give one from 0 to 1")
    return text, author


def labeller_name(author: str) -> str:
    """An automatic labeller's name without its version: `clip-zero-shot` of `clip-zero-shot 1`."""
    return author.rsplit(" ", 1)[0]


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
    """End a person's label that holds without a new one: `refuted` or `retired`.

    Raises:
        SaecliError: if the latent has no current label, or there is no such experiment.
    """
    dictionary, latent_id = _one_latent(session, concept)
    holding = [
        label
        for label in _last_labels(session, latent_id, PERSON)
        if not _is_closed(session, label)
    ]
    if not holding:
        raise SaecliError(
            f"{latent_ref(dictionary.name, concept.latents[0])} has no current label",
            "give it one with saecli label",
        )
    if experiment is not None and session.get(Experiment, experiment) is None:
        raise _no_experiment(experiment)
    last = holding[-1]
    for label in holding if status == "refuted" else [last]:
        _close(session, invocation, label, status, author, note=note, experiment=experiment)
    return LabelRow(last.id, last.text, last.author, last.created, status, last.note)


def retire_label(
    session: Session, invocation: int, concept: Concept, *, author: str, note: str | None = None
) -> EndedLabelReport:
    """End a latent's current label without a new one.

    Raises:
        SaecliError: if the latent has no current label.
    """
    closed = close_label(session, invocation, concept, status="retired", author=author, note=note)
    ref = latent_ref(concept.dictionary, concept.latents[0])
    return EndedLabelReport(ref, closed.text, closed.number, closed.status, None, None)


def refute_label(
    session: Session,
    invocation: int,
    concept: Concept,
    experiment: int,
    *,
    author: str,
    note: str | None = None,
) -> EndedLabelReport:
    """End a latent's current label by an experiment that edited the latent.

    Raises:
        SaecliError: if the latent has no current label, or the experiment is none that finished,
            did not refute its hypothesis, or edited other latents.
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
    if row.verdict != "refuted":
        raise SaecliError(
            f"experiment {experiment} came out {row.verdict}, which is no evidence against a label",
            "name one that refuted its hypothesis (saecli experiments --verdict refuted)",
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
    return EndedLabelReport(ref, closed.text, closed.number, closed.status, experiment, row.verdict)


def current_labels(
    session: Session, dictionary: DictionaryInfo, indices: Iterable[int] | None = None
) -> dict[int, str]:
    """People's labels that hold, by index; of all latents if none are named.

    Where several people's stand side by side (after a merge), the newest.
    """
    return _holding(session, dictionary, indices, PERSON)


def automatic_labels(
    session: Session, dictionary: DictionaryInfo, indices: Iterable[int] | None = None
) -> dict[int, str]:
    """Automatic labellers' labels that hold, by index; the newest where there are several."""
    return _holding(session, dictionary, indices, LABELLER)


def _holding(
    session: Session, dictionary: DictionaryInfo, indices: Iterable[int] | None, kind: str
) -> dict[int, str]:
    rows = session.execute(
        select(Latent.number, Label.text)
        .join(Label, Label.latent_id == Latent.id)
        .where(Latent.dictionary_id == dictionary.id, Label.kind == kind, is_current())
        .order_by(Label.created, Label.uuid)  # the last one stays
    )
    labels = {row.number: row.text for row in rows}
    return labels if indices is None else {i: labels[i] for i in indices if i in labels}


def _close(
    session: Session,
    invocation: int,
    label: Label,
    status: str,
    author: str,
    *,
    note: str | None = None,
    experiment: int | None = None,
) -> None:
    session.add(
        LabelClosure(
            uuid=str(uuid.uuid4()),
            label_id=label.id,
            status=status,
            author=author,
            note=note,
            experiment_id=experiment,
            invocation_id=invocation,
        )
    )
    session.flush()


def _is_closed(session: Session, label: Label) -> bool:
    found = select(LabelClosure.id).where(LabelClosure.label_id == label.id).limit(1)
    return session.scalar(found) is not None


def _no_experiment(number: int) -> SaecliError:
    return SaecliError(
        f"there is no experiment:{number}", "see which there are with saecli experiments"
    )


def _one_latent(session: Session, concept: Concept) -> tuple[DictionaryInfo, int]:
    dictionary, ids = get_latents(session, Concept(concept.dictionary, concept.latents[:1]))
    return dictionary, ids[0]


def _last_labels(session: Session, latent_id: int, kind: str) -> list[Label]:
    """The labels of a kind that nothing supersedes, oldest first."""
    successor = aliased(Label)
    rows = session.scalars(
        select(Label)
        .where(
            Label.latent_id == latent_id,
            Label.kind == kind,
            ~select(successor.id).where(successor.supersedes_id == Label.id).exists(),
        )
        .order_by(Label.created, Label.uuid)
    )
    return list(rows)
