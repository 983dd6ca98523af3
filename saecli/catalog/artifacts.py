"""Checkpoints, probes and large arrays, named by their SHA-256.

Up to 4 MB they are kept in the catalog, so that a small catalog is one whole file. Larger ones are
files in the folder beside it, written whole or not at all, and verified whenever they are read.
"""

import hashlib
import os
import time
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.failures import disk_sentence
from saecli.catalog.location import shown
from saecli.catalog.opening import catalog_of
from saecli.catalog.tables import Artifact as ArtifactRow
from saecli.catalog.tables import Dictionary, Probe, Profile
from saecli.errors import SaecliError

DRAFT_SECONDS = 3600  # a file that a job is writing is younger
INSIDE_BYTES = 4_000_000  # what the catalog's file itself holds, after compression

_COLUMNS = (ArtifactRow.id, ArtifactRow.sha256, ArtifactRow.size, ArtifactRow.kind)


@dataclass(frozen=True)
class Artifact:
    """Stored bytes: their row, hash, size before compression, and what they are."""

    id: int
    sha256: str
    size: int
    kind: str


@dataclass(frozen=True)
class Unreferenced:
    """What nothing in the catalog points to: rows, and files of the folder beside it."""

    artifacts: list[Artifact]
    files: list[Path]


def store_artifact(session: Session, invocation: int, data: bytes, kind: str) -> Artifact:
    """Keep bytes; the same bytes are kept once.

    A file is complete on the disk before its row is committed, so that a row never names a file
    that isn't there; a file without a row is what ``find_unreferenced`` finds.

    Raises:
        SaecliError: if the disk is full or the folder can't be written to.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    row = session.execute(select(*_COLUMNS).where(ArtifactRow.sha256 == sha256)).first()
    if row is not None:
        path = session.scalar(select(ArtifactRow.path).where(ArtifactRow.id == row.id))
        if path is not None:
            _write_whole(catalog_of(session).files / path, data, sha256)
        return Artifact(*row)
    stored, encoding = _encoded(data)
    added = ArtifactRow(
        sha256=sha256, kind=kind, size=len(data), encoding=encoding, invocation_id=invocation
    )
    if len(stored) <= INSIDE_BYTES:
        added.data = stored
    else:
        added.encoding = "file"
        added.path = f"{sha256[:2]}/{sha256}"
        _write_whole(catalog_of(session).files / added.path, data, sha256)
    session.add(added)
    session.flush()
    return Artifact(added.id, sha256, len(data), kind)


def read_artifact(session: Session, artifact_id: int) -> bytes:
    """The bytes of an artifact, verified.

    Raises:
        SaecliError: if its file is missing, or the bytes are not those that were stored.
    """
    sha256, kind, encoding, path, data = session.execute(
        select(
            ArtifactRow.sha256,
            ArtifactRow.kind,
            ArtifactRow.encoding,
            ArtifactRow.path,
            ArtifactRow.data,
        ).where(ArtifactRow.id == artifact_id)
    ).one()
    catalog = catalog_of(session)
    what = f"the {kind} {sha256[:12]} of {catalog.name}"
    remedy = f"copy it from a backup, {catalog.files.name} included, or make it again"
    if path is not None:
        data = _read_file(catalog.files / path, what, remedy)
    elif encoding == "zlib":
        try:
            data = zlib.decompress(data or b"")
        except zlib.error:
            raise SaecliError(f"{what} is damaged", remedy) from None
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise SaecliError(f"{what} is damaged", remedy)
    return data


def artifact_problems(session: Session) -> list[str]:
    """A sentence for every artifact that is missing or damaged."""
    catalog = catalog_of(session)
    problems = []
    for artifact_id in session.scalars(select(ArtifactRow.id).order_by(ArtifactRow.id)).all():
        try:
            read_artifact(session, artifact_id)
        except SaecliError as error:
            problems.append(error.problem)
    drafts = catalog.files.rglob(".*") if catalog.files.is_dir() else []
    left = [draft for draft in drafts if time.time() - draft.stat().st_mtime > DRAFT_SECONDS]
    problems += [f"{shown(draft)} was never finished" for draft in sorted(left)]
    return problems


def find_unreferenced(session: Session) -> Unreferenced:
    """Artifacts that no dictionary, profile or probe uses, and files that no artifact names."""
    used = (
        select(Dictionary.checkpoint_id)
        .where(Dictionary.checkpoint_id.is_not(None))
        .union(select(Profile.signature_id), select(Probe.artifact_id))
    )
    rows = session.execute(
        select(*_COLUMNS).where(ArtifactRow.id.not_in(used)).order_by(ArtifactRow.id)
    )
    folder = catalog_of(session).files
    named = set(session.scalars(select(ArtifactRow.path).where(ArtifactRow.path.is_not(None))))
    # Only names that this module gives: the folder holds caches of other steps too.
    files = [
        path
        for path in sorted(folder.glob("[0-9a-f][0-9a-f]/*"))
        if path.relative_to(folder).as_posix() not in named
    ]
    return Unreferenced([Artifact(*row) for row in rows], files)


def _encoded(data: bytes) -> tuple[bytes, str]:
    packed = zlib.compress(data, level=1) if len(data) <= 8 * INSIDE_BYTES else data
    return (packed, "zlib") if len(packed) < 0.9 * len(data) else (data, "raw")


def read_artifact_file(path: Path, sha256: str, kind: str, name: str) -> bytes:
    """The bytes of a file in the folder of the catalog ``name``, verified.

    Raises:
        SaecliError: if it is missing or damaged.
    """
    what = f"the {kind} {sha256[:12]} of {name}"
    remedy = "copy it from a backup; nothing was changed here"
    data = _read_file(path, what, remedy)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SaecliError(f"{what} is damaged", remedy)
    return data


def write_artifact_file(path: Path, data: bytes, sha256: str) -> None:
    """Keep bytes as a file in the catalog's folder, whole or not at all.

    Raises:
        SaecliError: if the disk is full or the folder can't be written to.
    """
    _write_whole(path, data, sha256)


def _read_file(path: Path, what: str, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SaecliError(f"{what} is missing: {shown(path)}", remedy) from None
    except OSError as error:
        raise SaecliError(f"{what} can't be read ({error.strerror or error})", remedy) from error


def _write_whole(path: Path, data: bytes, sha256: str) -> None:
    """Write a file under its final name only once all of it is on the disk."""
    try:
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):  # the name is on the disk too
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise disk_sentence(error, shown(path)) from error
