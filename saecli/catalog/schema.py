"""The schema's number, and what tells a catalog of this schema from any other file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from saecli.catalog.connections import connect
from saecli.catalog.failures import sentence
from saecli.catalog.location import shown
from saecli.errors import SaecliError

SCHEMA = 2  # PRAGMA user_version; the number of the newest migration
APPLICATION = 0x53414543  # PRAGMA application_id: "SAEC"


def check_file(path: Path) -> None:
    """Refuse what is no catalog at all, or one of another schema.

    Raises:
        SaecliError: if there is no file, it can't be read, or it is something else.
    """
    check_schema(read_schema(path), shown(path))


def read_schema(path: Path) -> int:
    """The number of a catalog's schema.

    Raises:
        SaecliError: if there is no file, it can't be read, or it is no catalog.
    """
    name = shown(path)
    if path.is_dir():
        raise SaecliError(f"{name} is a folder", f"name the file in it, as in {name}/catalog.db")
    # The file is never opened but by SQLite: closing any other handle would drop the locks that
    # this process holds on it (POSIX).
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise SaecliError(
            f"no catalog at {name}",
            "run saecli train to make one, or name another with --catalog or SAECLI_CATALOG",
        ) from None
    except OSError as error:
        raise SaecliError(
            f"the catalog {name} can't be read ({error.strerror or error})",
            "change its permissions, or name another with --catalog",
        ) from error
    if not size:
        raise _no_catalog(name, "an empty file")
    try:
        with closing(connect(path, write=False)) as connection:
            application: int = connection.execute("PRAGMA application_id").fetchone()[0]
            schema: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise _no_catalog(name, "another kind of file") from error
        raise sentence(error, name) or error from error
    if application != APPLICATION:
        raise SaecliError(
            f"{name} is an SQLite database, but no saecli catalog",
            "name a catalog with --catalog",
        )
    return schema


def _no_catalog(name: str, found: str) -> SaecliError:
    return SaecliError(
        f"{name} is no catalog but {found}",
        "name a catalog with --catalog, or remove the file and run saecli train",
    )


def check_schema(found: int, name: str) -> None:
    """Refuse another schema than this saecli's.

    Raises:
        SaecliError: saying which of the two is older, and how to bring it up.
    """
    if found < SCHEMA:
        raise SaecliError(
            f"your catalog is older (schema {found}) than this saecli (schema {SCHEMA}): {name}",
            "run saecli catalog upgrade, which keeps a backup",
        )
    if found > SCHEMA:
        raise SaecliError(
            f"your saecli (schema {SCHEMA}) is older than the catalog {name} (schema {found})",
            "update it: pip install --upgrade saecli",
        )
