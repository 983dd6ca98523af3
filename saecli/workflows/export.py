"""Write a dictionary's checkpoint as a file, whole or not at all."""

import os
import tempfile
from pathlib import Path

from saecli.catalog.dictionaries import get_dictionary, read_checkpoint
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.records import ExportReport


def export_checkpoint(
    catalog: Catalog, name: str, out: Path, format_: str, *, force: bool = False
) -> ExportReport:
    """Copy the checkpoint, its hash verified, out of the catalog.

    Raises:
        SaecliError: if there is no such dictionary, the file is there already, or the place
            can't be written.
    """
    with catalog.reading() as session:
        info = get_dictionary(session, name)
        data = read_checkpoint(session, info)
    if out.exists() and not force:
        raise SaecliError(f"'{out}' is there already", "choose another --out, or add --force")
    write_whole(out, data)
    return ExportReport(dictionary=info.name, format=format_, out=str(out), sha256=info.sha256)


def write_whole(out: Path, data: bytes) -> None:
    """Write a file so that it is whole or not there.

    Raises:
        SaecliError: if the folder is missing or can't be written.
    """
    if not out.parent.is_dir():
        raise SaecliError(f"there is no folder '{out.parent}'", "make it, or choose another --out")
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as f:
            part = Path(f.name)
            try:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
                part.chmod(0o644)
                part.replace(out)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise SaecliError(
            f"'{out}' can't be written ({error.strerror or error})",
            "free some space or choose another place",
        ) from error
