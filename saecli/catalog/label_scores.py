"""Scores of labels: how well each tells on which pictures its latent fires."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.labels import is_current
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Label, LabelScore, Latent


@dataclass(frozen=True)
class StandingInfo:
    """A label that holds."""

    id: int
    index: int
    text: str
    author: str
    kind: str


def standing_labels(
    session: Session, dictionary: DictionaryInfo, indices: Sequence[int] | None = None
) -> list[StandingInfo]:
    """All labels of a dictionary that hold, people's and automatic ones, by latent and time."""
    chosen = (
        select(Label.id, Latent.number, Label.text, Label.author, Label.kind)
        .join(Latent, Label.latent_id == Latent.id)
        .where(Latent.dictionary_id == dictionary.id, is_current())
        .order_by(Latent.number, Label.created, Label.uuid)
    )
    wanted = None if indices is None else set(indices)
    return [
        StandingInfo(*row)
        for row in session.execute(chosen)
        if wanted is None or row.number in wanted
    ]


def add_scores(
    session: Session, invocation: int, judge: str, scores: Mapping[int, Mapping[str, Any]]
) -> None:
    """Keep scores by label.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        judge: who judged, and its version.
        scores: figures by the label's number; plain JSON values.
    """
    for chunk in chunks(scores):
        session.add_all(
            LabelScore(
                uuid=str(uuid.uuid4()),
                label_id=label,
                judge=judge,
                figures=dict(scores[label]),
                invocation_id=invocation,
            )
            for label in chunk
        )
        session.flush()
