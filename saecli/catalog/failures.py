"""SQLite's and the disk's failures, each as one sentence that says what to do."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from saecli.errors import SaecliError

WAIT_SECONDS = 60.0  # how long a writer waits for another one


def sentence(error: sqlite3.Error, name: str) -> SaecliError | None:
    """What a failure of SQLite means for the user; None where it is our own mistake."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SaecliError(
            f"the catalog {name} has been in use by another program for {WAIT_SECONDS:.0f} s",
            "wait until that one has finished, or end it, and try again",
        )
    if primary == sqlite3.SQLITE_FULL:
        return SaecliError(
            f"the disk is full, so nothing was written to {name}",
            "make room and run the command again",
        )
    if primary == sqlite3.SQLITE_READONLY:
        return SaecliError(
            f"the catalog {name} can't be written to",
            "change its permissions, or copy it and name the copy with --catalog",
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
        return SaecliError(
            f"the catalog {name} is damaged ({error})",
            "take the newest backup (saecli catalog backup makes them), or see what is left of it "
            "with saecli catalog check",
        )
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM):
        return SaecliError(
            f"the catalog {name} can't be read or written ({error})",
            "check the disk, the folder and its permissions",
        )
    return None


def disk_sentence(error: OSError, name: str) -> SaecliError:
    """What a failure of the file system means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SaecliError(
            f"the disk is full, so {name} was not written", "make room and run the command again"
        )
    return SaecliError(
        f"{name} can't be written ({error.strerror or error})", "check the folder's permissions"
    )


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn SQLite's failures on the catalog ``name`` into the sentences above."""
    try:
        yield
    except sqlite3.Error as error:
        raise sentence(error, name) or error from error
