"""Connections to a catalog's file."""

import os
import sqlite3
from pathlib import Path

from saecli.catalog.failures import WAIT_SECONDS


def connect(path: Path, *, write: bool, wait: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Open an existing file with foreign keys on; transactions are left to the caller.

    Readers open it for writing too where they may, and promise not to (`query_only`): a
    connection that can't write would leave the files of the write-ahead log behind.
    """
    writable = os.access(path, os.W_OK)
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write or writable else 'ro'}"
    if not write and not os.access(path.absolute().parent, os.W_OK):
        log = path.with_name(path.name + "-wal")
        if not log.exists():
            uri += "&immutable=1"  # no shared-memory file can be made here, and nobody can write
    connection = sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=ON")
    if write:
        journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
        # With a log, NORMAL loses no consistency and spares a flush per transaction.
        connection.execute(f"PRAGMA synchronous={'NORMAL' if journal == 'wal' else 'FULL'}")
    else:
        connection.execute("PRAGMA query_only=ON")
    return connection


def set_journal(connection: sqlite3.Connection, *, log: bool) -> None:
    """Choose the write-ahead log, or an ordinary journal, if the file has the other."""
    wanted = "wal" if log else "delete"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        connection.execute(f"PRAGMA journal_mode={wanted}")
