"""`saecli demo`: pictures of the built-in world, with what is true of each."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import options, output, terminal
from saecli.errors import SaecliError


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A new folder for the pictures.", show_default=False)
    ],
    n: Annotated[int, typer.Option("--n", min=1, help="How many pictures.")] = 24,
    seed: options.Seed = 0,
    species: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only birds of this species.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only bird, landscape or postcard.")
    ] = None,
    concept: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only postcards of this concept.")
    ] = None,
    counterfactual: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ATTRIBUTE=VALUE",
            help="Draw the same pictures with this changed, as in wing=grey; repeatable.",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw them on one sheet.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Draw pictures of the built-in world, with masks, captions and attributes."""
    from saecli.cli.sheets import write_demo_sheet
    from saecli.demo.writing import write_pictures
    from saecli.records import DemoReport
    from saecli.render.saving import check_picture_name
    from saecli.render.tables import demo_table

    if sheet is not None:
        check_picture_name(sheet)
    changed = dict(_assignment(text) for text in counterfactual or ())
    written = write_pictures(
        out,
        n,
        seed,
        kind=kind,
        species=species,
        concept=concept,
        counterfactual=changed,
        progress=terminal.progress(),
    )
    if sheet is not None:
        write_demo_sheet(out, sheet)
    report = DemoReport(out=str(out), n=written, seed=seed, counterfactual=changed)
    output.emit(report, as_json=as_json, table=demo_table)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise SaecliError(
            f"'{text}' changes nothing", "write ATTRIBUTE=VALUE, as in wing=grey", usage=True
        )
    return name, value
