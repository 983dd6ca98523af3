"""`saecli list`: what is in the catalog."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import options, output, runs
from saecli.errors import SaecliError


def list_everything(
    frontier: Annotated[
        bool,
        typer.Option(
            "--frontier",
            help="Show what dictionaries explain against how many latents are active.",
        ),
    ] = False,
    out: options.Out = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """List the catalog's dictionaries, backbones, image sets, probes and experiments."""
    if frontier:
        _frontier(catalog, out, as_json=as_json)
        return
    if out is not None:
        raise SaecliError("--out is the picture of --frontier", "add --frontier", usage=True)
    from saecli.catalog.listing import list_all
    from saecli.render.tables import list_table
    from saecli.workflows.places import backbone_source

    with runs.opened(catalog) as opened:
        found = list_all(opened)
    backbones = [replace(row, source=backbone_source(row.source)) for row in found.backbones]
    found = replace(found, backbones=backbones)
    output.emit(found, as_json=as_json, table=list_table)


def _frontier(catalog: Path | None, out: Path | None, *, as_json: bool) -> None:
    from saecli.catalog.frontier import frontier
    from saecli.records import FrontierReport
    from saecli.render.frontier import frontier_picture, frontier_table
    from saecli.render.saving import check_picture_name, save_picture

    if out is not None:
        check_picture_name(out)
    with runs.opened(catalog) as opened:
        groups = frontier(opened)
    if out is not None:
        save_picture(frontier_picture(groups), out)
    report = FrontierReport(groups, None if out is None else str(out))
    output.emit(report, as_json=as_json, table=frontier_table)
