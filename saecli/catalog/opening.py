"""Opening a catalog, and the transactions in which it is read and written.

SQLAlchemy is loaded with the first transaction, so that opening itself is a matter of
milliseconds.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from saecli.catalog.connections import connect, set_journal
from saecli.catalog.example import point_out_copy, writable_copy
from saecli.catalog.failures import sentence
from saecli.catalog.location import catalog_path, files_folder, on_network, shown
from saecli.catalog.schema import check_file
from saecli.errors import SaecliError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from saecli.catalog.invocations import Invocation


def silent(message: str) -> None:
    """Take a note to nobody."""


class Catalog:
    """An open catalog: a file, the folder of files beside it, and transactions on them."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        self.write = write
        self._writing_thread: int | None = None

    @property
    def name(self) -> str:
        """The path as sentences show it."""
        return shown(self.path)

    @property
    def files(self) -> Path:
        """The folder that holds what is too large for the file; it may not exist yet."""
        return files_folder(self.path)

    @contextmanager
    def reading(self) -> "Iterator[Session]":
        """A session that sees one state of the catalog and writes nothing."""
        from saecli.catalog.sessions import open_session

        with open_session(self._reader, self) as session:
            yield session

    @contextmanager
    def writing(self) -> "Iterator[Session]":
        """A transaction that holds the lock from its start: committed whole at the end, or not.

        Keep it short, since others wait for it: no model runs inside.

        Raises:
            SaecliError: if the disk is full, the lock isn't to be had, … Nothing is written then.
        """
        from saecli.catalog.sessions import open_session

        if self._writing_thread == get_ident():
            raise RuntimeError("writing() inside writing() would wait for itself")
        with open_session(self._writer, self) as session:
            session.connection()  # takes the lock
            self._writing_thread = get_ident()
            try:
                yield session
                session.commit()
            finally:
                self._writing_thread = None

    def begin(
        self,
        command: str,
        arguments: Sequence[str],
        settings: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        versions: Mapping[str, Any] | None = None,
    ) -> "Invocation":
        """Record that a command starts; a context manager that records how it ends.

        Args:
            command: its name, as in `train`.
            arguments: as typed.
            settings: as resolved, defaults filled in; plain JSON values.
            seed: of the generator that chance comes from.
            versions: of saecli, Python and libraries, with the device and number of threads.
        """
        from saecli.catalog.invocations import Invocation

        return Invocation(self.writing, command, arguments, settings, seed, versions)

    def close(self) -> None:
        """Let go of the file; with the last one to do so the write-ahead log is merged."""
        for engine in ("_reader", "_writer"):
            if engine in self.__dict__:
                self.__dict__.pop(engine).dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _reader(self) -> "Engine":
        from saecli.catalog.sessions import make_engine

        return make_engine(self.path, write=False)

    @cached_property
    def _writer(self) -> "Engine":
        if not self.write:
            raise RuntimeError("this catalog was opened for reading: open_catalog(write=True)")
        from saecli.catalog.sessions import make_engine

        return make_engine(self.path, write=True)


def open_catalog(
    path: str | Path | None = None,
    *,
    write: bool = False,
    create: bool = False,
    note: Callable[[str], None] = silent,
) -> Catalog:
    """Open a catalog: ``path``, else ``SAECLI_CATALOG``, else ``./catalog.db``.

    Args:
        path: the catalog's file.
        write: whether the command writes. The shipped example is copied then, with a note.
        create: whether to make an empty catalog where there is none; implies ``write``.
        note: takes a line for the user that is no part of the result.

    Raises:
        SaecliError: if there is no catalog, it is something else, it has another schema, or it
            can't be read or written.
    """
    chosen = catalog_path(path)
    if create and not chosen.exists() and not chosen.is_symlink():
        from saecli.catalog.creation import create_catalog

        create_catalog(chosen)
    check_file(chosen)
    name = shown(chosen)
    try:
        if not (write or create):
            point_out_copy(chosen, note)
            return Catalog(chosen, write=False)
        chosen = writable_copy(chosen, note)
        _check_writable(chosen)
    except sqlite3.Error as error:
        raise sentence(error, name) or error from error
    return Catalog(chosen, write=True)


def _check_writable(path: Path) -> None:
    with closing(connect(path, write=True)) as connection:
        if on_network(path):
            set_journal(connection, log=False)  # a catalog that was moved there
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def catalog_of(session: "Session") -> Catalog:
    """The catalog that a session belongs to."""
    catalog = session.info["catalog"]
    if not isinstance(catalog, Catalog):
        raise TypeError("the session was not opened by a Catalog")
    return catalog


def missing(session: "Session", kind: str, name: str, known: str, remedy: str) -> SaecliError:
    """The sentence for a name that the catalog doesn't have."""
    return SaecliError(
        f"no {kind} '{name}' in {catalog_of(session).name}, which has {known}", remedy
    )
