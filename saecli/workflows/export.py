"""Write a dictionary as files: its checkpoint, or what the catalog knows of its latents."""

from pathlib import Path
from typing import Literal

from saecli.catalog.dictionaries import get_dictionary, read_checkpoint
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import get_profile
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.progress import Progress
from saecli.records import ExportReport

Contents = Literal["parquet", "saedashboard"]
Foreign = Literal["saelens", "dictionary-learning"]


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


def export_contents(
    catalog: Catalog,
    name: str,
    out: Path,
    format_: Contents,
    progress: Progress,
    *,
    force: bool = False,
) -> ExportReport:
    """Write a dictionary's latents and exemplars (and labels) into a folder, from its profile.

    Raises:
        SaecliError: if there is no such dictionary or profile, the folder holds something
            already, or it can't be written.
    """
    from saecli.workflows.export_dashboard import write_dashboard
    from saecli.workflows.export_tables import write_tables

    with catalog.reading() as session:
        info = get_dictionary(session, name)
        profile = get_profile(session, info)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not force):
        raise SaecliError(f"'{out}' is there already", "name a new folder as --out, or add --force")
    write = write_tables if format_ == "parquet" else write_dashboard
    files = write(catalog, info, profile, out, progress)
    return ExportReport(
        dictionary=info.name,
        format=format_,
        out=str(out),
        sha256=info.sha256,
        files=[path.name for path in files],
    )


def export_foreign(
    catalog: Catalog, name: str, out: Path, format_: Foreign, *, force: bool = False
) -> ExportReport:
    """Write a dictionary into a folder as another project's files, where it computes the same.

    Raises:
        SaecliError: if there is no such dictionary, the project can't state its function, the
            folder holds something already, or it can't be written.
    """
    from saecli.foreign.exporting import files_of
    from saecli.workflows.models import load_dictionary

    with catalog.reading() as session:
        info = get_dictionary(session, name)
    files = files_of(load_dictionary(catalog, info, "cpu"), info.name, format_)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not force):
        raise SaecliError(f"'{out}' is there already", "name a new folder as --out, or add --force")
    for file_name, data in files.items():
        with write_whole(out / file_name) as file:
            file.write(data)
    return ExportReport(
        dictionary=info.name,
        format=format_,
        out=str(out),
        sha256=info.sha256,
        files=list(files),
    )
