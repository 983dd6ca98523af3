"""Write a dictionary's checkpoint as a file, whole or not at all."""

from pathlib import Path

from saecli.catalog.dictionaries import get_dictionary, read_checkpoint
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.files import write_whole
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
    with write_whole(out) as file:
        file.write(data)
    return ExportReport(dictionary=info.name, format=format_, out=str(out), sha256=info.sha256)
