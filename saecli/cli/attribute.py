"""`saecli attribute`: which latents a prediction rests on."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.cli.plan_options import check_classes
from saecli.refs import check_dictionary_name


def attribute(
    dictionary: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    images: options.Images,
    probe: Annotated[str, typer.Option(help="Whose prediction.", show_default=False)],
    class_name: Annotated[
        str, typer.Option("--class", metavar="A", help="The class.", show_default=False)
    ],
    against: Annotated[
        str | None, typer.Option(metavar="B", help="Over this class; default: all others.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For a segmentation probe; default: beside the pictures."),
    ] = None,
    twins: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Edited copies of the pictures, under the same stems."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many latents to list.")
    ] = 24,
    n_images: computing.NImages = None,
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Rank latents by what suppressing each would take from a class: a set to knock out."""
    from saecli.render.evidence_tables import attribute_table
    from saecli.workflows.attribute import attribute_latents

    check_classes(class_name, against, "--against")
    check_dictionary_name(dictionary)
    details = {
        "dictionary": dictionary,
        "images": images,
        "probe": probe,
        "class": class_name,
        "against": against,
        "masks": str(masks) if masks else None,
        "twins": str(twins) if twins else None,
        "top": top,
        "n_images": n_images,
        "device": device,
    }
    with runs.recorded(catalog, "attribute", details) as (opened, invocation):
        found = attribute_latents(
            opened,
            invocation,
            dictionary,
            images,
            probe,
            class_name,
            against=against,
            masks=masks,
            twins=twins,
            top=top,
            n_images=n_images,
            device=device,
            progress=terminal.progress(),
        )
    output.emit(found, as_json=as_json, table=attribute_table)
