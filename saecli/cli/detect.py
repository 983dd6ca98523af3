"""`saecli detect`: which latents detect a concept."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError
from saecli.refs import check_dictionary_name


def detect(
    dictionary: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    images: Annotated[
        str | None,
        typer.Option(metavar="SET", help="Pictures with masks.", show_default=False),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="PNG masks with the pictures' stems, classes.txt beside them; default: the "
            "folder masks beside the pictures.",
            show_default=False,
        ),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="Of the masks.", show_default=False),
    ] = None,
    positives: Annotated[
        str | None,
        typer.Option(metavar="SET", help="Pictures with the concept.", show_default=False),
    ] = None,
    negatives: Annotated[
        str | None,
        typer.Option(metavar="SET", help="Pictures without it.", show_default=False),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many latents to list.")
    ] = 5,
    n_images: computing.NImages = None,
    device: options.Device = "auto",
    cache: computing.Cache = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Rank latents by how well they detect a concept, per patch by masks or per picture."""
    from saecli.render.evidence_tables import detect_table
    from saecli.workflows.detect import detect_latents
    from saecli.workflows.examples import by_folders, by_masks

    progress = terminal.progress()
    folders = positives is not None and negatives is not None
    if folders == (images is not None and class_name is not None):
        raise SaecliError(
            "the concept is told neither by masks nor by folders",
            "give --images and --class (and --masks), or --positives and --negatives",
            usage=True,
        )
    check_dictionary_name(dictionary)
    details = {
        "dictionary": dictionary,
        "images": images,
        "masks": str(masks) if masks else None,
        "class": class_name,
        "positives": positives,
        "negatives": negatives,
        "top": top,
        "n_images": n_images,
        "device": device,
    }
    with runs.recorded(catalog, "detect", details) as (opened, invocation):
        if positives is not None and negatives is not None:
            examples = by_folders(positives, negatives, n_images, progress)
        else:
            examples = by_masks(images or "", masks, class_name or "", n_images, progress)
        found = detect_latents(
            opened,
            invocation,
            dictionary,
            examples,
            top=top,
            device=device,
            cache=computing.cache_settings(opened.files, cache),
            progress=progress,
        )
    output.emit(found, as_json=as_json, table=detect_table)
