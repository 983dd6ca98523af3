"""Finding pictures that moved: by their bytes, wherever they are now."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update

from saecli.catalog.location import shown
from saecli.catalog.opening import Catalog
from saecli.catalog.tables import Image
from saecli.errors import SaecliError
from saecli.progress import SILENT, Progress
from saecli.refs import BUILT_IN_PICTURES

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})


@dataclass(frozen=True)
class RelocateReport:
    """How many of the catalog's pictures were looked for, found where they were, found anew."""

    n_images: int
    n_in_place: int
    n_moved: int
    missing: list[str]


def relocate(catalog: Catalog, folder: Path, progress: Progress = SILENT) -> RelocateReport:
    """Look for pictures that aren't where they were last seen, in a folder of any depth.

    Names don't matter: a picture is known by its bytes. One that was changed is missing.

    Args:
        catalog: open for writing.
        folder: to look in.
        progress: is told of the files that are read.

    Raises:
        SaecliError: if there is no such folder.
    """
    if not folder.is_dir():
        raise SaecliError(f"there is no folder {shown(folder)}", "name the pictures' new folder")
    with catalog.reading() as session:
        known = session.execute(select(Image.id, Image.sha256, Image.path)).all()
    lost = {row.sha256: row for row in known if not _in_place(row.path)}
    moved = _find(set(lost), folder, progress) if lost else {}
    if moved:
        with catalog.writing() as session:
            session.execute(
                update(Image),
                [{"id": lost[sha].id, "path": str(path)} for sha, path in moved.items()],
            )
    missing = sorted(row.path for sha, row in lost.items() if sha not in moved)
    return RelocateReport(len(known), len(known) - len(lost), len(moved), missing)


def _in_place(path: str) -> bool:
    """Whether a picture, or the shard that holds it, is where it was.

    A built-in one is drawn where it is needed.
    """
    if path.startswith(BUILT_IN_PICTURES):
        return True
    return any(place.is_file() for place in (Path(path), *Path(path).parents))


def _find(wanted: set[str], folder: Path, progress: Progress) -> dict[str, Path]:
    found: dict[str, Path] = {}
    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()
    )
    with progress.task("looking for pictures", len(files), "files") as task:
        for path in files:
            digest = _content_hash(path)
            if digest in wanted and digest not in found:
                found[digest] = path.resolve()
            task.advance()
            if len(found) == len(wanted):
                break
    return found


def _content_hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
