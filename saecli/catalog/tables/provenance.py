"""The catalog itself, the commands that wrote to it, and the bytes they stored."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from saecli.catalog.tables.base import Base, Recorded, now


class Meta(Base):
    """The catalog itself; exactly one row."""

    __tablename__ = "meta"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    catalog_id: Mapped[str]  # a UUID; a copy that goes its own way gets a new one
    copied_from: Mapped[str | None]  # the catalog_id of the example it was copied from
    example: Mapped[bool] = mapped_column(default=False)  # the shipped one: never changed in place
    created: Mapped[datetime] = mapped_column(default=now)
    default_dictionary_id: Mapped[int | None] = mapped_column(
        ForeignKey("dictionary.id", ondelete="SET NULL")
    )


class Invocation(Base):
    """One run of a command."""

    __tablename__ = "invocation"
    __table_args__ = (
        CheckConstraint(
            "status IN ('running', 'done', 'failed', 'interrupted')", name="status_known"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    command: Mapped[str]
    arguments: Mapped[list[Any]]  # as typed
    settings: Mapped[dict[str, Any]]  # as resolved: defaults filled in
    seed: Mapped[int | None]
    versions: Mapped[dict[str, Any]]  # saecli, Python, libraries, device, number of threads
    started: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    status: Mapped[str] = mapped_column(default="running")
    problem: Mapped[str | None]  # the sentence it failed with


class Artifact(Recorded, Base):
    """Bytes named by their SHA-256: inside the catalog, or in the folder beside it.

    ``encoding`` says how ``data`` holds them (`raw`, `zlib`), or `file`: then ``path`` is relative
    to the catalog's folder of files.
    """

    __tablename__ = "artifact"
    __table_args__ = (
        CheckConstraint("encoding IN ('raw', 'zlib', 'file')", name="encoding_known"),
        CheckConstraint(
            "(encoding = 'file') = (path IS NOT NULL) AND (encoding = 'file') = (data IS NULL)",
            name="one_place",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # checkpoint, probe, signature, …
    size: Mapped[int]  # bytes, before encoding
    encoding: Mapped[str]
    path: Mapped[str | None]
    data: Mapped[bytes | None]  # last, so that reading the columns before it skips its pages
