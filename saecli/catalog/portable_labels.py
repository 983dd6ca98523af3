"""Labels in a form that another catalog understands: by UUIDs and digests, not by local numbers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.label_history import rows_of
from saecli.catalog.labels import is_current
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Dictionary, Experiment, Label, LabelClosure, Latent
from saecli.refs import latent_ref


@dataclass(frozen=True)
class PortableClosure:
    """The end of a label; ``experiment`` is the UUID of the one that refuted it."""

    uuid: str
    status: str
    author: str
    note: str | None
    experiment: str | None
    created: datetime


@dataclass(frozen=True)
class PortableLabel:
    """A label on its own; all but reference and text may be unknown.

    ``dictionary`` is its checkpoint's SHA-256 (the name in ``ref`` is where it came from),
    ``supersedes`` the UUID of the label whose place it took, ``line`` where it stood in a file.
    """

    ref: str
    text: str
    author: str | None = None
    kind: str | None = None
    status: str | None = None
    created: datetime | None = None
    confidence: float | None = None
    note: str | None = None
    evidence: dict[str, Any] | None = None
    uuid: str | None = None
    supersedes: str | None = None
    dictionary: str | None = None
    closures: tuple[PortableClosure, ...] = ()
    line: int = 0


def portable_labels(
    session: Session, *, dictionary: str | None = None, current: bool = False
) -> list[PortableLabel]:
    """The catalog's labels by dictionary and latent, each latent's oldest first.

    Args:
        session: of the catalog.
        dictionary: whose labels; None for all.
        current: only those that hold, without their history.

    Raises:
        SaecliError: if there is no such dictionary.
    """
    before = aliased(Label)
    chosen = (
        select(Label, Latent.number, Dictionary.name, Dictionary.sha256, before.uuid)
        .join(Latent, Label.latent_id == Latent.id)
        .join(Dictionary, Latent.dictionary_id == Dictionary.id)
        .outerjoin(before, Label.supersedes_id == before.id)
        .order_by(Dictionary.id, Latent.number, Label.created, Label.uuid)
    )
    if dictionary is not None:
        chosen = chosen.where(Dictionary.id == get_dictionary(session, dictionary).id)
    if current:
        chosen = chosen.where(is_current())
    found = session.execute(chosen).all()
    rows = rows_of(session, [row[0] for row in found])
    closures = _closures(session, [row[0].id for row in found])
    return [
        PortableLabel(
            ref=latent_ref(name, number),
            text=label.text,
            author=label.author,
            kind=label.kind,
            status=told.status,
            created=label.created,
            confidence=label.confidence,
            note=label.note,
            evidence=label.evidence,
            uuid=label.uuid,
            supersedes=supersedes,
            dictionary=sha256,
            closures=tuple(closures.get(label.id, ())),
        )
        for (label, number, name, sha256, supersedes), (_, told) in zip(found, rows, strict=True)
    ]


def _closures(session: Session, labels: list[int]) -> dict[int, list[PortableClosure]]:
    found: dict[int, list[PortableClosure]] = {}
    for chunk in chunks(labels):
        rows = session.execute(
            select(LabelClosure, Experiment.uuid)
            .outerjoin(Experiment, LabelClosure.experiment_id == Experiment.id)
            .where(LabelClosure.label_id.in_(chunk))
            .order_by(LabelClosure.created, LabelClosure.uuid)
        )
        for row, experiment in rows:
            found.setdefault(row.label_id, []).append(
                PortableClosure(row.uuid, row.status, row.author, row.note, experiment, row.created)
            )
    return found
