"""SQLAlchemy's sessions on a catalog, and the transactions in which it is read and written."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from saecli.catalog.connections import connect
from saecli.catalog.failures import sentence, translated

if TYPE_CHECKING:
    from saecli.catalog.opening import Catalog


def make_engine(path: Path, *, write: bool) -> Engine:
    """An engine whose transactions begin as reading or, for writers, with the lock in hand.

    A writer that first reads and then asks for the lock can be refused at once, whatever the
    timeout; `BEGIN IMMEDIATE` waits its turn.
    """
    # Ctrl-C while a connection is given back is told by the command, not by a traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL + 1)
    engine = create_engine(
        "sqlite://", creator=lambda: connect(path, write=write), poolclass=NullPool
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        if write:
            raw.execute("BEGIN IMMEDIATE")
        elif raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            # Without the log a reader's transaction would keep writers out, so there each
            # statement reads for itself.
            raw.execute("BEGIN")

    return engine


@contextmanager
def open_session(engine: Engine, catalog: "Catalog") -> Iterator[Session]:
    """A session whose failures are sentences about the catalog that it belongs to."""
    try:
        with (
            translated(catalog.name),
            Session(engine, expire_on_commit=False, info={"catalog": catalog}) as session,
        ):
            yield session
    except DBAPIError as error:
        origin = error.orig
        found = sentence(origin, catalog.name) if isinstance(origin, sqlite3.Error) else None
        raise found or error from error
