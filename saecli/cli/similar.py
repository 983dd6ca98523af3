"""`saecli similar`: latents of the same dictionary that are like one."""

from typing import Annotated, Literal

import typer

from saecli.cli import options, output, runs


def similar(
    ref: options.LatentRef,
    by: Annotated[
        Literal["alike", "together", "decoder"],
        typer.Option(
            help="In how strongly they fire on each picture, in firing in the same places, or in "
            "the direction that they write."
        ),
    ] = "alike",
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many latents to list.")
    ] = 10,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """List the latents of the same dictionary that fire alike, fire together or write alike."""
    from saecli.render.finding_tables import similar_table
    from saecli.workflows.similar import find_similar

    with runs.opened(catalog) as opened:
        found = find_similar(opened, ref, by=by, top=top)
    output.emit(found, as_json=as_json, table=similar_table)
