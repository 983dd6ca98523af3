"""`saecli export`: a dictionary's checkpoint as a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from saecli.cli import options, output, runs


def export(
    name: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to write it.", show_default=False)
    ],
    format_: Annotated[
        Literal["safetensors"], typer.Option("--format", help="The file's format.")
    ] = "safetensors",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Write a dictionary's checkpoint to a file."""
    from saecli.render.tables import export_table
    from saecli.workflows.export import export_checkpoint

    with runs.opened(catalog) as opened:
        written = export_checkpoint(opened, name, out, format_, force=force)
    output.emit(written, as_json=as_json, table=export_table)
