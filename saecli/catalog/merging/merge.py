"""One catalog merged into another, whole or not at all."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from saecli.catalog.artifacts import read_artifact_file, write_artifact_file
from saecli.catalog.connections import connect
from saecli.catalog.example import copy_database, read_meta
from saecli.catalog.failures import translated
from saecli.catalog.label_intake import conflicts
from saecli.catalog.location import files_folder, shown
from saecli.catalog.merging.contents import bring_all
from saecli.catalog.merging.rows import Rows
from saecli.catalog.opening import Catalog
from saecli.catalog.schema import SCHEMA, check_schema, read_schema
from saecli.errors import SaecliError
from saecli.records import LabelConflict, MergeReport


def merge(catalog: Catalog, other: Path) -> MergeReport:
    """Bring everything of another catalog that is not here yet; the other one is not changed.

    What is the same in both is known by its identity: UUIDs, checkpoints' and pictures' hashes,
    backbones' digests. Merging twice changes nothing, and either order gives the same rows; only
    numbers and names differ. A catalog of an older schema is upgraded in the copy that is read.

    Args:
        catalog: open for writing.
        other: the other catalog's file; its folder of files lies beside it.

    Raises:
        SaecliError: if the other is no catalog, is newer than this saecli, is this very one, or
            lacks a file, or the disk is full. Nothing is merged then.
    """
    schema = read_schema(other)
    if schema > SCHEMA:
        check_schema(schema, shown(other))
    if other.resolve() == catalog.path.resolve():
        raise SaecliError(f"{shown(other)} is the catalog itself", "name another one")
    with translated(shown(other)):
        other_id = read_meta(other)[0]
    with _copied(other, catalog.path.absolute().parent, schema) as copy, translated(catalog.name):
        n_files = _bring_files(catalog, copy, other)
        with closing(connect(catalog.path, write=True)) as connection:
            connection.execute(
                "ATTACH DATABASE ? AS theirs", (f"{copy.as_uri()}?mode=ro&immutable=1",)
            )
            rows = Rows(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                added, renamed = bring_all(rows)
                labelled = [
                    number
                    for (number,) in connection.execute(
                        "SELECT DISTINCT latent_id FROM main.label WHERE id IN "
                        "(SELECT ours FROM temp.numbers_label)"
                    )
                ]
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
    return MergeReport(
        catalog_id=read_meta(catalog.path)[0],
        other=str(other),
        other_id=other_id,
        added=added,
        n_files=n_files,
        renamed=renamed,
        conflicts=_conflicts(catalog, labelled),
    )


@contextmanager
def _copied(other: Path, folder: Path, schema: int) -> Iterator[Path]:
    """A copy of a catalog's file as it is at this moment, of this saecli's schema."""
    with tempfile.TemporaryDirectory(prefix=".merge-", dir=folder) as name:
        copy = Path(name) / "theirs.db"
        with translated(shown(other)):
            copy_database(other, copy)
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
                if schema < SCHEMA:
                    from saecli.catalog.creation import migrate

                    migrate(connection)
        yield copy


def _bring_files(catalog: Catalog, copy: Path, other: Path) -> int:
    """Files come before the rows that name them; returns how many came."""
    with (
        closing(connect(copy, write=False)) as theirs,
        closing(connect(catalog.path, write=False)) as ours,
    ):
        named = theirs.execute("SELECT sha256, path, kind FROM artifact WHERE path IS NOT NULL")
        known = {row[0] for row in ours.execute("SELECT sha256 FROM artifact")}
        missing = [row for row in named if row[0] not in known]
    size = sum(_size(files_folder(other) / path) for _, path, _ in missing)
    if size > shutil.disk_usage(catalog.path.absolute().parent).free:
        raise SaecliError(
            f"the disk has no room for the {size / 1e9:.1f} GB of files of {shown(other)}",
            "make room and run the command again; nothing was merged",
        )
    for sha256, path, kind in missing:
        data = read_artifact_file(files_folder(other) / path, sha256, kind, shown(other))
        write_artifact_file(catalog.files / path, data, sha256)
    return len(missing)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _conflicts(catalog: Catalog, latents: list[int]) -> list[LabelConflict]:
    from sqlalchemy import select

    from saecli.catalog.queries import chunks
    from saecli.catalog.tables import Dictionary, Latent
    from saecli.refs import latent_ref

    with catalog.reading() as session:
        refs: dict[int, str] = {}
        for chunk in chunks(latents):
            rows = session.execute(
                select(Latent.id, Dictionary.name, Latent.number)
                .join(Dictionary, Latent.dictionary_id == Dictionary.id)
                .where(Latent.id.in_(chunk))
                .order_by(Dictionary.id, Latent.number)
            )
            refs.update((number, latent_ref(name, index)) for number, name, index in rows)
        return conflicts(session, refs)
