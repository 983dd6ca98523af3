"""The life of labels: what each said, what became of it, and how well it tells its latent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import get_latents
from saecli.catalog.label_evidence import rests_on
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Label, LabelClosure, LabelScore
from saecli.records import LabelRow
from saecli.refs import Concept


def label_history(session: Session, concept: Concept) -> list[LabelRow]:
    """All labels that a latent ever had, newest first, each with what became of it.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, (latent_id, *_) = get_latents(session, concept)
    labels = session.scalars(
        select(Label).where(Label.latent_id == latent_id).order_by(Label.created, Label.id)
    ).all()
    return [row for _, row in reversed(rows_of(session, labels))]


def rows_of(session: Session, labels: Sequence[Label]) -> list[tuple[Label, LabelRow]]:
    """Labels with what became of each, in the order given."""
    ids = [label.id for label in labels]
    after: dict[int, int] = {}
    closed: dict[int, LabelClosure] = {}
    scores: dict[int, dict[str, Any]] = {}
    for chunk in chunks(ids):
        for successor in session.scalars(
            select(Label).where(Label.supersedes_id.in_(chunk)).order_by(Label.id)
        ):
            after.setdefault(successor.supersedes_id or 0, successor.id)
        for closure in session.scalars(
            select(LabelClosure)
            .where(LabelClosure.label_id.in_(chunk))
            .order_by(LabelClosure.created, LabelClosure.uuid)
        ):
            known = closed.setdefault(closure.label_id, closure)
            if known.status != "refuted" and closure.status == "refuted":
                closed[closure.label_id] = closure  # a test outweighs an opinion
        for score in session.scalars(
            select(LabelScore)
            .where(LabelScore.label_id.in_(chunk))
            .order_by(LabelScore.created, LabelScore.uuid)
        ):
            scores[score.label_id] = {"judge": score.judge} | score.figures
    return [
        (
            label,
            _row(
                label,
                after.get(label.id),
                closed.get(label.id),
                scores.get(label.id),
                rests_on(session, label.evidence),
            ),
        )
        for label in labels
    ]


def _row(
    label: Label,
    after: int | None,
    closure: LabelClosure | None,
    score: dict[str, Any] | None,
    records: list[str],
) -> LabelRow:
    standing = "current" if after is None else "superseded"
    return LabelRow(
        number=label.id,
        text=label.text,
        author=label.author,
        created=label.created,
        status=standing if closure is None else closure.status,
        note=label.note,
        kind=label.kind,
        confidence=label.confidence,
        evidence=label.evidence,
        rests_on=records,
        supersedes=label.supersedes_id,
        superseded_by=after,
        refuted_by=None if closure is None else closure.experiment_id,
        closing_note=None if closure is None else closure.note,
        score=score,
    )
