"""`saecli inspect`: which latents a picture's patches activate."""

from dataclasses import replace
from typing import Annotated

import typer

from saecli.cli import options, output, runs, terminal
from saecli.cli.plan_options import check_classes
from saecli.errors import SaecliError
from saecli.refs import check_dictionary_name


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
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Rank by what the predicted class rests on, checked against real knock-outs, "
            "and show Grad-CAM beside.",
        ),
    ] = False,
    probe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose prediction to explain; default: the backbone's first.",
            show_default=False,
        ),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="A",
            help="The class to explain; default: the predicted one.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="B", help="Explain A over this class; default: all others.", show_default=False
        ),
    ] = None,
    out: options.Out = None,
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Show which latents some patches of a picture activate, and store the observation."""
    from saecli.cli import sheets
    from saecli.render.latent_tables import inspect_table
    from saecli.render.saving import check_picture_name
    from saecli.workflows.explain import Question
    from saecli.workflows.inspect import inspect_image

    if not explain and (probe or class_name or against):
        raise SaecliError(
            "--probe, --class and --against say what to explain",
            "add --explain, or leave them out",
            usage=True,
        )
    check_classes(class_name, against, "--against")
    if dictionary is not None:
        check_dictionary_name(dictionary)
    settings = {
        "image": image,
        "patches": list(patches) if patches else None,
        "dictionary": dictionary,
        "top": top,
        "explain": explain,
        "probe": probe,
        "class": class_name,
        "against": against,
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
            question=Question(probe, class_name, against) if explain else None,
        )
        if out is not None:
            sheets.write_inspect_sheet(opened, found, seen, out)
            found = replace(found, sheet=str(out))
    output.emit(found, as_json=as_json, table=inspect_table)
