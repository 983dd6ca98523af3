"""`saecli report`: one page on latents and experiments, to send to somebody."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import options, output, runs
from saecli.errors import SaecliError


def report(
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="DICTIONARY:INDEX|experiment:N…",
            help="Latents, and experiments after them.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="Where to write it.", show_default=False),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many exemplars of each kind.")
    ] = 12,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Write latents and experiments on one HTML page that needs nothing else."""
    from saecli.render.finding_tables import report_table
    from saecli.workflows.report import write_report

    if out is None:
        raise SaecliError("the page has no file", "name it with --out FILE.html", usage=True)
    command = shlex.join(["saecli", *sys.argv[1:]])
    with runs.opened(catalog) as opened:
        found = write_report(opened, subjects, out, top=top, command=command)
    output.emit(found, as_json=as_json, table=report_table)
