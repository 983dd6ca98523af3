"""`saecli search`: latents by words, figures, a class, another latent, a meaning, a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from saecli.cli import options, output, runs, terminal
from saecli.refs import Concept

if TYPE_CHECKING:
    from saecli.records.finding import FoundReport
    from saecli.workflows.pools import Query


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Words of labels; a phrase in quotes.", show_default=False),
    ] = None,
    meaning: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="Rank by what the latents have to do with these words, as a CLIP reads them; "
            "no labels needed.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Rank by how unusually strongly they fire on this picture (kept as an "
            "observation).",
            show_default=False,
        ),
    ] = None,
    patches: Annotated[
        options.Patches | None,
        typer.Option(
            parser=options.patches,
            metavar="3,4,10-13",
            help="Only these patches of the picture.",
            show_default=False,
        ),
    ] = None,
    like: Annotated[
        Concept | None,
        typer.Option(
            parser=options.latent,
            metavar="DICTIONARY:INDEX",
            help="Rank by how like this latent of the same dictionary they are.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        Literal["alike", "together", "decoder"],
        typer.Option(help="What --like goes by (see saecli similar)."),
    ] = "alike",
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="A",
            help="Only those that fire more on profiled pictures of it (adjusted p ≤ 0.05).",
            show_default=False,
        ),
    ] = None,
    density: Annotated[
        str | None,
        typer.Option(
            metavar="0.001..0.01", help="Share of the patches they fire on.", show_default=False
        ),
    ] = None,
    maximum: Annotated[
        str | None,
        typer.Option("--max", metavar="'>5'", help="Largest activation.", show_default=False),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(metavar="1..2", help="Mean activation where active.", show_default=False),
    ] = None,
    labelled: Annotated[
        bool | None,
        typer.Option(
            "--labelled/--unlabelled", help="Only those with, or without.", show_default=False
        ),
    ] = None,
    dictionary: Annotated[
        str | None, typer.Option(metavar="NAME", help="Look in one dictionary only.")
    ] = None,
    sort: Annotated[
        Literal["score", "density", "max", "mean", "index"] | None,
        typer.Option(
            help="Order; default: by the picture, meaning, latent, words or class, else density.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many results to list.")
    ] = 10,
    skip: Annotated[
        int, typer.Option(min=0, help="How many to pass over: the next page is --skip 10.")
    ] = 0,
    clip: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The backbone that reads --meaning; default: the catalog's first CLIP.",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Find latents by label, meaning, picture, class, another latent or figures, combined."""
    from saecli.render.finding_tables import found_table
    from saecli.search.ranges import parse_range
    from saecli.workflows.pools import Query

    query = Query(
        words=" ".join(words or []),
        dictionary=dictionary,
        labelled=labelled,
        density=None if density is None else parse_range(density),
        maximum=None if maximum is None else parse_range(maximum),
        mean=None if mean is None else parse_range(mean),
        class_name=class_name,
        like=like,
        by=by,
        meaning=meaning,
        image=image,
        patches=None if patches is None else tuple(patches),
        sort=sort,
        top=top,
        skip=skip,
    )
    found = _found(query, clip, device, catalog)
    output.emit(found, as_json=as_json, table=found_table)


def _found(query: "Query", clip: str | None, device: str, catalog: Path | None) -> "FoundReport":
    """Read the catalog; only a picture that is asked about is written to it."""
    from saecli.workflows.search import check, search

    check(query)
    progress = terminal.progress()
    if query.image is None:
        with runs.opened(catalog) as opened:
            return search(opened, query, progress=progress, clip=clip, device=device)
    settings = {
        "image": query.image,
        "patches": query.patches and list(query.patches),
        "dictionary": query.dictionary,
        "top": query.top,
        "skip": query.skip,
        "device": device,
    }
    with runs.recorded(catalog, "search", settings) as (opened, invocation):
        return search(
            opened, query, progress=progress, invocation=invocation, clip=clip, device=device
        )
