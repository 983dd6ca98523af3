"""Taking in labels that were given elsewhere: nothing is lost, nothing is taken twice.

- A label is known by its UUID, a row without one by latent, author and words. What is known
  changes nothing; what is closed there is closed here too.
- A new label takes the place of the one that it says it supersedes. A row without a UUID takes
  that of the same author's. Anybody else's stays: both hold, and are reported as a conflict.
- A row whose UUID is known here with other words was edited: the edit is a new label in the old
  one's place, by whoever takes the rows in.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, dictionaries
from saecli.catalog.labels import PERSON, add_label, checked_words, is_current
from saecli.catalog.portable_labels import PortableClosure, PortableLabel
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Experiment, Label, LabelClosure, Latent, now
from saecli.records import LabelConflict, SkippedRow, StandingLabel
from saecli.refs import Concept, latent_ref, parse_latent

_SUPERSEDED = UUID("6d7a1f0e-0d1b-4c8e-9a53-2f0f4c6f8d11")  # closures of what went on elsewhere


@dataclass
class Intake:
    """What came of the rows."""

    n_added: int = 0
    n_known: int = 0
    n_closed: int = 0
    skipped: list[SkippedRow] = field(default_factory=list)
    conflicts: list[LabelConflict] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    given: PortableLabel
    latent_id: int
    ref: str


def take_labels(
    session: Session, invocation: int, labels: Sequence[PortableLabel], *, author: str
) -> Intake:
    """Take labels in.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        labels: in any order.
        author: of rows that name none, and of edits.

    Raises:
        SaecliError: if a label's text, author or confidence is none.
    """
    intake = Intake()
    rows = _placed(session, labels, intake)
    named = [row for row in rows if row.given.uuid is not None]
    _take_named(session, invocation, named, intake, author)
    for row in rows:
        if row.given.uuid is None:
            _take_unnamed(session, invocation, row, intake, author)
    intake.conflicts += conflicts(session, {row.latent_id: row.ref for row in rows})
    return intake


def conflicts(session: Session, latents: dict[int, str]) -> list[LabelConflict]:
    """The latents, by row number and reference, whose people's labels that hold differ."""
    standing: dict[int, list[StandingLabel]] = {}
    for chunk in chunks(latents):
        rows = session.scalars(
            select(Label)
            .where(Label.latent_id.in_(chunk), Label.kind == PERSON, is_current())
            .order_by(Label.created, Label.uuid)
        )
        for row in rows:
            standing.setdefault(row.latent_id, []).append(
                StandingLabel(row.id, row.text, row.author)
            )
    return [
        LabelConflict(ref, standing[latent])
        for latent, ref in latents.items()
        if len({label.text.casefold() for label in standing.get(latent, [])}) > 1
    ]


def _placed(session: Session, labels: Sequence[PortableLabel], intake: Intake) -> list[_Row]:
    """The rows whose latents this catalog has; a dictionary is found by its hash, or its name."""
    known = dictionaries(session)
    by_hash = {info.sha256: info for info in known}
    by_name = {info.name: info for info in known}
    wanted: dict[int, set[int]] = {}
    placed: list[tuple[PortableLabel, DictionaryInfo, int]] = []
    for label in labels:
        concept = parse_latent(label.ref)
        name = concept.dictionary
        info = by_hash.get(label.dictionary) if label.dictionary else by_name.get(name)
        index = concept.latents[0]
        if info is None:
            other = label.dictionary and name in by_name
            reason = (
                f"'{name}' is another dictionary here"
                if other
                else f"there is no dictionary '{name}'"
            )
            intake.skipped.append(SkippedRow(label.line, reason))
        elif index >= info.n_latents:
            reason = f"'{info.name}' has {info.n_latents:,} latents, and no {index}"
            intake.skipped.append(SkippedRow(label.line, reason))
        else:
            wanted.setdefault(info.id, set()).add(index)
            placed.append((label, info, index))
    ids: dict[tuple[int, int], int] = {}
    for dictionary, indices in wanted.items():
        for chunk in chunks(sorted(indices)):
            found = session.execute(
                select(Latent.number, Latent.id).where(
                    Latent.dictionary_id == dictionary, Latent.number.in_(chunk)
                )
            )
            ids.update({(dictionary, number): latent for number, latent in found})
    return [
        _Row(label, ids[info.id, index], latent_ref(info.name, index))
        for label, info, index in placed
    ]


def _take_named(
    session: Session, invocation: int, rows: list[_Row], intake: Intake, author: str
) -> None:
    known: dict[str, Label] = {}
    named = {row.given.uuid for row in rows} | {row.given.supersedes for row in rows}
    for chunk in chunks(name for name in named if name is not None):
        for label in session.scalars(select(Label).where(Label.uuid.in_(chunk))):
            known[label.uuid] = label
    waiting = rows
    while waiting:  # a label comes after the one that it supersedes
        coming = {row.given.uuid for row in waiting if row.given.uuid not in known}
        ready = [row for row in waiting if row.given.supersedes not in coming]
        later = [row for row in waiting if row.given.supersedes in coming]
        if not ready:  # a circle, which no catalog wrote
            ready, later = waiting, []
        for row in ready:
            name = str(row.given.uuid)
            if name in known:
                _meet_known(session, invocation, row, known[name], intake, author)
            else:
                before = known.get(row.given.supersedes or "")
                known[name] = _added(session, invocation, row, before, author)
                intake.n_added += 1
            _take_closures(session, invocation, known[name], row.given.closures, intake)
        waiting = later
    for row in rows:
        if row.given.status == "superseded":
            _close_superseded(session, invocation, known[str(row.given.uuid)], intake)


def _meet_known(
    session: Session, invocation: int, row: _Row, label: Label, intake: Intake, author: str
) -> None:
    text, _ = checked_words(row.given.text, author, row.given.confidence)
    if text == label.text:
        intake.n_known += 1
        return
    edits = select(Label.id).where(
        Label.latent_id == row.latent_id, Label.text == text, Label.kind == PERSON
    )
    if session.scalar(edits) is not None:
        intake.n_known += 1
        return
    dictionary, _, number = row.ref.rpartition(":")
    add_label(
        session,
        invocation,
        Concept(dictionary, (int(number),)),
        text,
        author=author,
        note=row.given.note if row.given.note != label.note else None,
        confidence=row.given.confidence if row.given.confidence != label.confidence else None,
    )
    intake.n_added += 1


def _take_unnamed(
    session: Session, invocation: int, row: _Row, intake: Intake, author: str
) -> None:
    kind = row.given.kind or PERSON
    text, by = checked_words(row.given.text, row.given.author or author, row.given.confidence)
    own = session.scalars(
        select(Label)
        .where(Label.latent_id == row.latent_id, Label.kind == kind, Label.author == by)
        .order_by(Label.created, Label.id)
    ).all()
    if any(label.text == text for label in own):
        intake.n_known += 1
        return
    superseded = set(
        session.scalars(select(Label.supersedes_id).where(Label.latent_id == row.latent_id))
    )
    before = [label for label in own if label.id not in superseded][-1:]
    _added(session, invocation, row, before[0] if before else None, author)
    intake.n_added += 1


def _added(
    session: Session, invocation: int, row: _Row, before: Label | None, author: str
) -> Label:
    given = row.given
    text, by = checked_words(given.text, given.author or author, given.confidence)
    label = Label(
        uuid=given.uuid or str(uuid.uuid4()),
        latent_id=row.latent_id,
        text=text,
        author=by,
        kind=given.kind or PERSON,
        note=given.note,
        confidence=given.confidence,
        evidence=given.evidence,
        created=given.created or now(),
        supersedes_id=None if before is None else before.id,
        invocation_id=invocation,
    )
    session.add(label)
    session.flush()
    return label


def _take_closures(
    session: Session,
    invocation: int,
    label: Label,
    closures: Sequence[PortableClosure],
    intake: Intake,
) -> None:
    for closure in closures:
        if session.scalar(select(LabelClosure.id).where(LabelClosure.uuid == closure.uuid)):
            continue
        experiment = session.scalar(
            select(Experiment.id).where(Experiment.uuid == closure.experiment)
        )
        note = closure.note
        if closure.experiment is not None and experiment is None:
            elsewhere = f"by the experiment {closure.experiment} of another catalog"
            note = elsewhere if note is None else f"{note}; {elsewhere}"
        session.add(
            LabelClosure(
                uuid=closure.uuid,
                label_id=label.id,
                status=closure.status,
                author=closure.author,
                note=note,
                experiment_id=experiment,
                created=closure.created,
                invocation_id=invocation,
            )
        )
        session.flush()
        intake.n_closed += 1


def _close_superseded(session: Session, invocation: int, label: Label, intake: Intake) -> None:
    """End a label that was superseded where it comes from by one that is not known here."""
    after = select(Label.id).where(Label.supersedes_id == label.id).limit(1)
    ended = select(LabelClosure.id).where(LabelClosure.label_id == label.id).limit(1)
    if session.scalar(after) is not None or session.scalar(ended) is not None:
        return
    session.add(
        LabelClosure(
            uuid=str(uuid5(_SUPERSEDED, label.uuid)),
            label_id=label.id,
            status="retired",
            author=label.author,
            note="superseded in the catalog that it comes from",
            created=now(),
            invocation_id=invocation,
        )
    )
    session.flush()
    intake.n_closed += 1
