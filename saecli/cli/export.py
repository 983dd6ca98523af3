"""`saecli export`: a dictionary as files."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from saecli.cli import options, output, runs, terminal


def export(
    name: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The file to write, or the folder for all but safetensors.",
            show_default=False,
        ),
    ],
    format_: Annotated[
        Literal["safetensors", "saelens", "dictionary-learning", "parquet", "saedashboard"],
        typer.Option(
            "--format",
            help="The checkpoint, in saecli's or another project's form; or latents, exemplars and "
            "labels as tables; or latents in SAEDashboard's JSON.",
        ),
    ] = "safetensors",
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Write a dictionary's checkpoint, or its latents, exemplars and labels, to files."""
    from saecli.render.tables import export_table
    from saecli.workflows.export import export_checkpoint, export_contents, export_foreign

    with runs.opened(catalog) as opened:
        if format_ == "safetensors":
            written = export_checkpoint(opened, name, out, format_, force=force)
        elif format_ == "saelens" or format_ == "dictionary-learning":
            written = export_foreign(opened, name, out, format_, force=force)
        else:
            written = export_contents(opened, name, out, format_, terminal.progress(), force=force)
    output.emit(written, as_json=as_json, table=export_table)
