"""What people and automatic labellers say about latents, and the words to find it by."""

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, CheckConstraint, ForeignKey, event
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded, now


class Label(Recorded, Base):
    """Words that an author gave a latent. Rows are only added; a new one supersedes.

    What nothing supersedes or closes holds. People's labels and a labeller's stand beside one
    another, and so do those of two catalogs that were merged.
    """

    __tablename__ = "label"
    __table_args__ = (
        CheckConstraint("length(trim(text)) > 0", name="text_not_blank"),
        CheckConstraint("length(trim(author)) > 0", name="author_not_blank"),
        CheckConstraint("kind IN ('person', 'labeller')", name="kind_known"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence_share"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    latent_id: Mapped[int] = mapped_column(ForeignKey("latent.id"), index=True)
    text: Mapped[str]
    author: Mapped[str]  # a person, or the automatic labeller and its version
    kind: Mapped[str]
    note: Mapped[str | None]
    confidence: Mapped[float | None]
    evidence: Mapped[dict[str, Any] | None]  # what it rests on, by UUID or digest
    created: Mapped[datetime] = mapped_column(default=now)
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"), index=True)


class LabelClosure(Recorded, Base):
    """The end of a label without a successor: an experiment refuted it, or it was retired.

    Two catalogs that were merged may have ended the same label each in its way.
    """

    __tablename__ = "label_closure"
    __table_args__ = (
        CheckConstraint("status IN ('refuted', 'retired')", name="status_known"),
        CheckConstraint("length(trim(author)) > 0", name="author_not_blank"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), index=True)
    status: Mapped[str]
    author: Mapped[str]
    note: Mapped[str | None]
    experiment_id: Mapped[int | None] = mapped_column(ForeignKey("experiment.id"))
    created: Mapped[datetime] = mapped_column(default=now)


class LabelScore(Recorded, Base):
    """How well a label tells on which pictures its latent fires, by a judge that reads it."""

    __tablename__ = "label_score"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), index=True)
    judge: Mapped[str]  # and its version
    figures: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)


# Labels are only added, so one trigger keeps the index of words whole; two others hold the rule.
TRIGGERS = (
    "CREATE VIRTUAL TABLE label_words USING fts5("
    "text, content='label', content_rowid='id', prefix='2 3', "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER label_words_added AFTER INSERT ON label BEGIN "
    "INSERT INTO label_words(rowid, text) VALUES (new.id, new.text); END",
    "CREATE TRIGGER label_unchanged BEFORE UPDATE ON label BEGIN "
    "SELECT RAISE(ABORT, 'labels are only added'); END",
    "CREATE TRIGGER label_kept BEFORE DELETE ON label BEGIN "
    "SELECT RAISE(ABORT, 'labels are only added'); END",
)
for statement in TRIGGERS:
    event.listen(Base.metadata, "after_create", DDL(statement))  # type: ignore[no-untyped-call]
