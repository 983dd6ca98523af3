"""Look whether activation stores, and a catalog with its folder, are whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.catalog.maintenance import check
from saecli.catalog.opening import Catalog
from saecli.progress import Progress
from saecli.records.storing import CheckedFolder, DoctorReport
from saecli.workflows.invocations import versions
from saecli.workflows.train import RUNS

if TYPE_CHECKING:
    from saecli.activations.verifying import Findings

ACTIVATIONS = "activations"  # below the catalog's folder


def examine(folders: Sequence[Path], catalog: Catalog | None, progress: Progress) -> DoctorReport:
    """Read every byte that has a checksum and say what is damaged, and what was left unfinished.

    Args:
        folders: activation stores.
        catalog: open to read; None to look at none.
        progress: told of every file.

    Raises:
        SaecliError: if a folder is no activation store.
    """
    checked = [_store(folder, progress) for folder in folders]
    if catalog is not None:
        checked.append(_catalog(catalog))
        cache = catalog.files / ACTIVATIONS
        if cache.is_dir():
            checked.append(_cache(cache, progress))
    return DoctorReport(all(one.ok for one in checked), checked, versions())


def _store(folder: Path, progress: Progress) -> CheckedFolder:
    from saecli.activations.verifying import verify_store

    return _checked(folder, "activation store", verify_store(folder, progress))


def _cache(folder: Path, progress: Progress) -> CheckedFolder:
    from saecli.activations.verifying import verify_cache

    return _checked(folder, "cached activations", verify_cache(folder, progress))


def _checked(folder: Path, kind: str, found: "Findings") -> CheckedFolder:
    ok = not found.problems
    return CheckedFolder(
        str(folder), kind, ok, found.n_files, found.size, found.problems, found.notes
    )


def _catalog(catalog: Catalog) -> CheckedFolder:
    with catalog.reading() as session:
        found = check(session)
    notes = [f"{what} is used by nothing" for what in found.unreferenced]
    runs = sorted((catalog.files / RUNS).glob("*.state"))
    notes += [f"an unfinished training of {run.stem} waits for --resume" for run in runs]
    files = [path for path in catalog.files.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
    size = catalog.path.stat().st_size + sum(path.stat().st_size for path in files)
    return CheckedFolder(
        str(catalog.path), "catalog", found.ok, 1 + len(files), size, found.problems, notes
    )
