"""`saecli label`: give a latent words."""

import getpass
import os
from typing import Annotated

import typer

from saecli.cli import options, output, runs
from saecli.errors import SaecliError
from saecli.records import LabelReport, RefutedLabelReport
from saecli.refs import parse_record


def label(
    ref: options.ConceptRef,
    text: Annotated[
        str | None,
        typer.Argument(help="The words; none with --refuted-by.", show_default=False),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(help="Who says so; default: $SAECLI_AUTHOR, else your user name."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why: what the label rests on.")] = None,
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="How sure, from 0 to 1.")
    ] = None,
    refuted_by: Annotated[
        str | None,
        typer.Option(
            metavar="experiment:N",
            help="End the current label: this finished experiment on the latent speaks against it.",
            show_default=False,
        ),
    ] = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Label a latent; its earlier labels stay in its history."""
    from saecli.catalog.labels import add_label, refute_label
    from saecli.render.tables import label_table

    number = None if refuted_by is None else parse_record(refuted_by, "experiment")
    if (text is None) == (number is None) or (number is not None and confidence is not None):
        raise SaecliError(
            "a label is given by its words, or ended by --refuted-by alone",
            "say one of them",
            usage=True,
        )
    author = author or os.environ.get("SAECLI_AUTHOR") or _user()
    settings = {"ref": str(ref), "text": text, "author": author, "refuted_by": number}
    with (
        runs.recorded(catalog, "label", settings) as (opened, invocation),
        opened.writing() as session,
    ):
        given: LabelReport | RefutedLabelReport
        if number is not None:
            given = refute_label(session, invocation.id, ref, number, author=author, note=note)
        else:
            given = add_label(
                session,
                invocation.id,
                ref,
                text or "",
                author=author,
                note=note,
                confidence=confidence,
            )
    output.emit(given, as_json=as_json, table=label_table)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a bare container
        raise SaecliError("nobody is named as the label's author", "give --author") from None
