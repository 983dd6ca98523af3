"""`saecli label`: give a latent words."""

import getpass
import os
from typing import Annotated

import typer

from saecli.cli import options, output, runs
from saecli.errors import SaecliError


def label(
    ref: options.ConceptRef,
    text: Annotated[str, typer.Argument(help="The words.", show_default=False)],
    author: Annotated[
        str | None,
        typer.Option(help="Who says so; default: $SAECLI_AUTHOR, else your user name."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why: what the label rests on.")] = None,
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="How sure, from 0 to 1.")
    ] = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Label a latent; its earlier labels stay in its history."""
    from saecli.catalog.labels import add_label
    from saecli.render.tables import label_table

    author = author or os.environ.get("SAECLI_AUTHOR") or _user()
    settings = {"ref": str(ref), "text": text, "author": author}
    with (
        runs.recorded(catalog, "label", settings) as (opened, invocation),
        opened.writing() as session,
    ):
        given = add_label(
            session, invocation.id, ref, text, author=author, note=note, confidence=confidence
        )
    output.emit(given, as_json=as_json, table=label_table)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a bare container
        raise SaecliError("nobody is named as the label's author", "give --author") from None
