"""Looking after a catalog: what it holds, whether it is whole, backups, upgrades."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from saecli.catalog.artifacts import DRAFT_SECONDS, artifact_problems, find_unreferenced
from saecli.catalog.connections import connect
from saecli.catalog.dictionaries import default_name
from saecli.catalog.example import copy_catalog, copy_database, read_meta
from saecli.catalog.failures import sentence, translated
from saecli.catalog.location import catalog_path, files_folder, shown
from saecli.catalog.opening import Catalog, silent
from saecli.catalog.schema import SCHEMA, check_file, check_schema, read_schema
from saecli.catalog.tables import (
    Artifact,
    Comparison,
    Dictionary,
    Experiment,
    Hypothesis,
    Image,
    ImageSet,
    Invocation,
    Label,
    Latent,
    Meta,
    Observation,
    Probe,
    Profile,
)
from saecli.errors import SaecliError

_COUNTED = {
    "dictionaries": Dictionary,
    "latents": Latent,
    "profiles": Profile,
    "image_sets": ImageSet,
    "images": Image,
    "labels": Label,
    "observations": Observation,
    "probes": Probe,
    "hypotheses": Hypothesis,
    "experiments": Experiment,
    "comparisons": Comparison,
    "invocations": Invocation,
}


@dataclass(frozen=True)
class CatalogInfo:
    """What a catalog is and how much it holds; sizes in bytes."""

    catalog_id: str
    path: str
    schema: int
    example: bool
    size: int
    files_size: int
    counts: dict[str, int]
    default: str | None


@dataclass(frozen=True)
class CheckReport:
    """What is wrong with a catalog; ``unreferenced`` is harmless and only takes room."""

    ok: bool
    problems: list[str]
    unreferenced: list[str]


@dataclass(frozen=True)
class UpgradeReport:
    """From which schema to which; ``backup`` is None where there was nothing to do."""

    path: str
    from_schema: int
    to_schema: int
    backup: str | None


@dataclass(frozen=True)
class VacuumReport:
    """How much room a catalog and its files took before and after, in bytes, and what went."""

    path: str
    size_before: int
    size_after: int
    n_artifacts: int
    n_files: int


@dataclass(frozen=True)
class BackupReport:
    """A copy of a catalog and the number of files beside it; size in bytes, files included."""

    out: str
    size: int
    n_files: int


def info(session: Session, catalog: Catalog) -> CatalogInfo:
    """What a catalog is and how much it holds."""
    meta = session.scalars(select(Meta)).one()
    counts = {
        name: session.scalar(select(func.count()).select_from(table)) or 0
        for name, table in _COUNTED.items()
    }
    for name, table in (("dictionaries", Dictionary), ("profiles", Profile)):
        counts[name] = session.scalar(select(func.count(table.id)).where(table.published)) or 0
    return CatalogInfo(
        catalog_id=meta.catalog_id,
        path=str(catalog.path.absolute()),
        schema=SCHEMA,
        example=meta.example,
        size=catalog.path.stat().st_size,
        files_size=sum(path.stat().st_size for path in _files(catalog.files)),
        counts=counts,
        default=default_name(session),
    )


def catalog_identity(session: Session) -> dict[str, Any]:
    """Which catalog, of which schema, something was read from."""
    meta = session.scalars(select(Meta)).one()
    return {"catalog_id": meta.catalog_id, "schema": SCHEMA}


def check(session: Session) -> CheckReport:
    """Whether a catalog is whole: its pages, its references, and every artifact's bytes."""
    problems: list[str] = []
    for look in (_damaged_pages, _dangling_references, artifact_problems):
        try:
            problems += look(session)
        except DatabaseError as error:  # what is damaged can stop a look before its end
            problems.append(f"the catalog can't be read to its end ({error.orig})")
            return CheckReport(False, list(dict.fromkeys(problems)), [])
    found = find_unreferenced(session)
    unreferenced = [f"{one.kind} {one.sha256[:12]}" for one in found.artifacts]
    unreferenced += [shown(path) for path in found.files]
    return CheckReport(not problems, problems, unreferenced)


def _damaged_pages(session: Session) -> list[str]:
    rows = session.execute(text("PRAGMA integrity_check")).scalars()
    return [str(row) for row in rows if row != "ok"]


def _dangling_references(session: Session) -> list[str]:
    return [
        f"row {row[1]} of {row[0]} points to a row of {row[2]} that isn't there"
        for row in session.execute(text("PRAGMA foreign_key_check"))
    ]


def backup(catalog: Catalog, out: Path) -> BackupReport:
    """Copy a catalog and its folder of files; others may write meanwhile.

    Raises:
        SaecliError: if ``out`` exists, its folder doesn't, or it can't be written.
    """
    if not out.parent.is_dir():
        raise SaecliError(f"there is no folder '{out.parent}'", "make it, or name another file")
    copy_catalog(catalog.path, out)
    files = _files(files_folder(out))
    size = out.stat().st_size + sum(path.stat().st_size for path in files)
    return BackupReport(str(out), size, len(files))


def vacuum(catalog: Catalog) -> VacuumReport:
    """Give room back: remove artifacts and files that nothing uses, and pack the catalog's file.

    A file that is younger than an hour stays: a job may be about to name it.

    Raises:
        SaecliError: if others keep the catalog in use, or the disk has no room for the copy that
            SQLite packs it in.
    """
    before = catalog.path.stat().st_size + sum(p.stat().st_size for p in _files(catalog.files))
    with catalog.writing() as session:
        unused = find_unreferenced(session)
        for one in unused.artifacts:
            session.execute(delete(Artifact).where(Artifact.id == one.id))
    # What those rows named is unreferenced now, too.
    with catalog.reading() as session:
        files = find_unreferenced(session).files
    old = [path for path in files if time.time() - path.stat().st_mtime > DRAFT_SECONDS]
    for path in old:
        path.unlink(missing_ok=True)
    with translated(catalog.name), closing(connect(catalog.path, write=True)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    after = catalog.path.stat().st_size + sum(p.stat().st_size for p in _files(catalog.files))
    return VacuumReport(str(catalog.path), before, after, len(unused.artifacts), len(old))


def upgrade(
    path: str | Path | None = None, *, note: Callable[[str], None] = silent
) -> UpgradeReport:
    """Bring a catalog to this saecli's schema, with a backup of the old one beside it.

    Raises:
        SaecliError: if it is no catalog, is newer than this saecli, or is the shipped example.
    """
    chosen = catalog_path(path)
    found = read_schema(chosen)
    name = shown(chosen)
    if found == SCHEMA:
        return UpgradeReport(str(chosen), found, found, None)
    if found > SCHEMA:
        check_schema(found, name)
    try:
        if read_meta(chosen)[2]:
            raise SaecliError(
                f"{name} is the shipped example, which is never changed",
                "take the example that belongs to this saecli, or upgrade a copy of it",
            )
        kept = chosen.with_name(
            f"{chosen.stem}.schema{found}.{datetime.now(UTC):%Y%m%d-%H%M%S}{chosen.suffix}"
        )
        copy_database(chosen, kept)
        note(f"kept the old catalog as {shown(kept)}")
        from saecli.catalog.creation import migrate

        with closing(connect(chosen, write=True)) as connection:
            migrate(connection)
    except sqlite3.Error as error:
        raise sentence(error, name) or error from error
    check_file(chosen)
    return UpgradeReport(str(chosen), found, SCHEMA, str(kept))


def _files(folder: Path) -> list[Path]:
    found = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    return sorted(found)
