"""The shipped example: never changed in place; the first write goes to a copy."""

import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from saecli.catalog.connections import connect, set_journal
from saecli.catalog.failures import disk_sentence, sentence
from saecli.catalog.location import DEFAULT, files_folder, on_network, shown
from saecli.catalog.schema import check_file
from saecli.errors import SaecliError

Shrink = Callable[[bytes], bytes]


def read_meta(path: Path) -> tuple[str, str | None, bool]:
    """A catalog's id, the id of the example it was copied from, and whether it is the example."""
    with closing(connect(path, write=False)) as connection:
        row = connection.execute("SELECT catalog_id, copied_from, example FROM meta").fetchone()
    return row[0], row[1], bool(row[2])


def writable_copy(path: Path, note: Callable[[str], None]) -> Path:
    """Where to write when ``path`` is named: itself, or for the example `./catalog.db`.

    Raises:
        SaecliError: if the example is named and `./catalog.db` is something else.
    """
    catalog_id, _, example = read_meta(path)
    if not example:
        return path
    if DEFAULT.exists():
        check_file(DEFAULT)
        if read_meta(DEFAULT)[1] != catalog_id:
            raise SaecliError(
                f"{shown(path)} is the shipped example, which is never changed, and the catalog "
                f"{shown(DEFAULT)} is no copy of it",
                f"choose one: --catalog {DEFAULT} writes there, and in another folder the example "
                "is copied",
            )
        note(f"writing to {shown(DEFAULT)}, your copy of the example")
        return DEFAULT
    copy_catalog(path, DEFAULT)
    with closing(connect(DEFAULT, write=True)) as connection:
        connection.execute(
            "UPDATE meta SET example = 0, catalog_id = ?, copied_from = ?",
            (str(uuid.uuid4()), catalog_id),
        )
        set_journal(connection, log=not on_network(DEFAULT))
    note(
        f"{shown(path)} is the shipped example, which is never changed: copied it to "
        f"{shown(DEFAULT)}, where this is stored and where you can go on"
    )
    return DEFAULT


def point_out_copy(path: Path, note: Callable[[str], None]) -> None:
    """Tell somebody who reads the example that their own changes are in its copy."""
    catalog_id, _, example = read_meta(path)
    if example and DEFAULT.is_file():
        try:
            check_file(DEFAULT)
            mine = read_meta(DEFAULT)[1] == catalog_id
        except (SaecliError, sqlite3.Error):
            return
        if mine:
            note(f"reading the shipped example; what you added to it is in {shown(DEFAULT)}")


def make_example(
    source: Path, target: Path, *, folder: Path | None = None, shrink: Shrink | None = None
) -> None:
    """Make the example that is shipped: one whole file, as small as it gets, never to be changed.

    What is dropped is made again by the commands that the example records: exemplars of untrained
    twins (which matter as controls alone), and thumbnails of pictures that are no exemplar and in
    no observation.

    Args:
        source: the catalog.
        target: the example's file.
        folder: names of pictures below it become relative to it: elsewhere it doesn't exist.
        shrink: encodes a thumbnail anew.

    Raises:
        SaecliError: if the target exists or can't be written, or the source keeps files beside it.
    """
    with closing(connect(source, write=False)) as connection:
        (n_files,) = connection.execute(
            "SELECT count(*) FROM artifact WHERE path IS NOT NULL"
        ).fetchone()
    if n_files:
        raise SaecliError(
            f"{shown(source)} keeps {n_files} of its arrays in {shown(files_folder(source))}, so "
            "one file would not be all",
            "make the example from smaller dictionaries",
        )
    copy_catalog(source, target)
    with closing(connect(target, write=True)) as connection:
        connection.execute(
            "UPDATE meta SET example = 1, catalog_id = ?, copied_from = NULL",
            (str(uuid.uuid4()),),
        )
        connection.execute(
            "DELETE FROM exemplar WHERE profile_id IN (SELECT profile.id FROM profile JOIN "
            "dictionary ON dictionary.id = profile.dictionary_id WHERE dictionary.untrained)"
        )
        connection.execute(
            "DELETE FROM thumbnail WHERE image_id NOT IN (SELECT image_id FROM exemplar UNION "
            "SELECT image_id FROM observation)"
        )
        if shrink is not None:
            for image, data in connection.execute(
                "SELECT image_id, data FROM thumbnail"
            ).fetchall():
                connection.execute(
                    "UPDATE thumbnail SET data = ? WHERE image_id = ?", (shrink(data), image)
                )
        if folder is not None:
            for table, column in (("image", "path"), ("image_set", "root"), ("image_set", "name")):
                connection.execute(
                    f"UPDATE {table} SET {column} = "
                    f"CASE {column} WHEN ? THEN '.' ELSE replace({column}, ?, '') END",
                    (str(folder), f"{folder}/"),
                )
        # A log would be written beside the file by whoever reads it.
        set_journal(connection, log=False)
        connection.execute("VACUUM")


def copy_catalog(source: Path, target: Path) -> None:
    """Copy a catalog and the files that it names, whole or not at all.

    SQLite's own backup reads a consistent state, write-ahead log included, while others write.
    Caches in the folder of files stay where they are.

    Raises:
        SaecliError: if the target exists, can't be written, or a named file is missing.
    """
    if target.exists():
        raise SaecliError(f"{shown(target)} exists already", "name another file")
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    written: list[Path] = []
    try:
        copy_database(source, draft)
        with closing(connect(draft, write=False)) as connection:
            named = connection.execute("SELECT path FROM artifact WHERE path IS NOT NULL")
            for (path,) in named.fetchall():
                # Files come before the catalog that names them.
                _copy_file(files_folder(source) / path, files_folder(target) / path, written)
        draft.replace(target)
        written.clear()
    except FileNotFoundError as error:
        raise SaecliError(
            f"the file {error.filename} of {shown(source)} is missing",
            "see what else is with saecli catalog check",
        ) from error
    except OSError as error:
        raise disk_sentence(error, shown(target)) from error
    except sqlite3.Error as error:
        raise sentence(error, shown(target)) or error from error
    finally:
        draft.unlink(missing_ok=True)
        for path in written:
            path.unlink(missing_ok=True)


def copy_database(source: Path, target: Path) -> None:
    """Copy a catalog's file alone, as it is at this moment."""
    with (
        closing(connect(source, write=False)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        reading.backup(writing)


def _copy_file(source: Path, target: Path, written: list[Path]) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    written.append(target)
    shutil.copy2(source, target)
