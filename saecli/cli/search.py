"""`saecli search`: latents by the words of their labels."""

from typing import Annotated

import typer

from saecli.cli import options, output, runs


def search(
    words: Annotated[
        list[str], typer.Argument(help="Words of labels; a phrase in quotes.", show_default=False)
    ],
    dictionary: Annotated[
        str | None, typer.Option(metavar="NAME", help="Look in one dictionary only.")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many results to list.")
    ] = 10,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Find latents by the words of their labels."""
    from saecli.catalog.label_search import search_labels
    from saecli.render.tables import search_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        found = search_labels(session, " ".join(words), dictionary=dictionary, top=top)
    output.emit(found, as_json=as_json, table=search_table)
