"""`saecli labels`: many labels at once."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import authors, options, output, runs
from saecli.errors import SaecliError
from saecli.records import LabelsExportReport, LabelsImportReport


def export_labels(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Where to write them: .csv or .jsonl.", show_default=False
        ),
    ],
    dictionary: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the labels of one dictionary.")
    ] = None,
    current: Annotated[
        bool, typer.Option("--current", help="Only labels that hold, without their history.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Write labels with their history to a file: CSV or JSON lines."""
    from saecli.catalog.portable_labels import portable_labels
    from saecli.render.catalog_tables import facts_table
    from saecli.workflows.label_files import format_of, write_labels

    kind = format_of(out)
    with runs.opened(catalog) as opened:
        if out.exists() and not force:
            raise SaecliError(f"'{out}' is there already", "choose another --out, or add --force")
        with opened.reading() as session:
            found = portable_labels(session, dictionary=dictionary, current=current)
        write_labels(out, found)
    names = sorted({label.ref.rpartition(":")[0] for label in found})
    report = LabelsExportReport(str(out), kind, len(found), names)
    output.emit(report, as_json=as_json, table=facts_table)


def import_labels(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines.", show_default=False)],
    author: authors.Author = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Take labels in from a file; what is known stays, what contradicts is kept beside."""
    from saecli.catalog.label_intake import take_labels
    from saecli.render.label_tables import import_table
    from saecli.workflows.label_files import read_labels

    labels = read_labels(file)
    by = authors.named(author)
    settings = {"file": str(file), "author": by, "rows": len(labels)}
    with (
        runs.recorded(catalog, "labels import", settings) as (opened, invocation),
        opened.writing() as session,
    ):
        taken = take_labels(session, invocation.id, labels, author=by)
    report = LabelsImportReport(
        file=str(file),
        n_rows=len(labels),
        n_added=taken.n_added,
        n_known=taken.n_known,
        n_closed=taken.n_closed,
        conflicts=taken.conflicts,
        skipped=taken.skipped,
    )
    output.emit(report, as_json=as_json, table=import_table)
