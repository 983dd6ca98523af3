"""`saecli inspect`: which latents a picture's patches activate."""

from dataclasses import replace
from typing import Annotated

import typer

from saecli.cli import options, output, runs, terminal


def inspect(
    image: Annotated[str, typer.Argument(help="The picture.", show_default=False)],
    patches: Annotated[
        options.Patches | None,
        typer.Option(
            parser=options.patches,
            metavar="3,4,10-13",
            help="Patches of the dictionary's grid; default: the whole picture.",
            show_default=False,
        ),
    ] = None,
    dictionary: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Default: the catalog's default dictionary."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many latents to list.")
    ] = 8,
    out: options.Out = None,
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Show which latents some patches of a picture activate, and store the observation."""
    from saecli.cli import sheets
    from saecli.render.latent_tables import inspect_table
    from saecli.render.saving import check_picture_name
    from saecli.workflows.inspect import inspect_image

    settings = {
        "image": image,
        "patches": list(patches) if patches else None,
        "dictionary": dictionary,
        "top": top,
        "device": device,
    }
    if out is not None:
        check_picture_name(out)
    with runs.recorded(catalog, "inspect", settings) as (opened, invocation):
        found, seen = inspect_image(
            opened,
            invocation,
            image,
            tuple(patches) if patches else None,
            dictionary=dictionary,
            top=top,
            device=device,
            progress=terminal.progress(),
        )
        if out is not None:
            sheets.write_inspect_sheet(opened, found, seen, out)
            found = replace(found, sheet=str(out))
    output.emit(found, as_json=as_json, table=inspect_table)
