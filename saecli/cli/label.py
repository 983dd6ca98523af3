"""`saecli label`: give a latent words."""

from typing import Annotated

import typer

from saecli.cli import authors, options, output, runs
from saecli.errors import SaecliError
from saecli.records import EndedLabelReport, LabelReport
from saecli.refs import parse_record


def label(
    ref: options.ConceptRef,
    text: Annotated[
        str | None,
        typer.Argument(help="The words; none with --refuted-by.", show_default=False),
    ] = None,
    author: authors.Author = None,
    note: Annotated[str | None, typer.Option(help="Why: what the label rests on.")] = None,
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="How sure, from 0 to 1.")
    ] = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="experiment:N",
            help="What it rests on: an experiment, observation, selection or comparison; repeat.",
            show_default=False,
        ),
    ] = None,
    retire: Annotated[
        bool, typer.Option("--retire", help="End the current label without a new one.")
    ] = False,
    refuted_by: Annotated[
        str | None,
        typer.Option(
            metavar="experiment:N",
            help="End the current label: this experiment on the latent refuted its hypothesis.",
            show_default=False,
        ),
    ] = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Label a latent; its earlier labels stay in its history."""
    from saecli.catalog.label_evidence import check_evidence, evidence_of
    from saecli.catalog.labels import add_label, refute_label, retire_label
    from saecli.render.tables import label_table

    number = None if refuted_by is None else parse_record(refuted_by, "experiment")
    ends = retire or number is not None
    if [text is not None, retire, number is not None].count(True) != 1 or (
        ends and (confidence is not None or evidence)
    ):
        raise SaecliError(
            "a label is given by its words, or ended by --retire or --refuted-by alone",
            "say one of them",
            usage=True,
        )
    if text is not None and not text.strip():
        raise SaecliError(
            "the label is blank", "say in a few words what the latent responds to", usage=True
        )
    check_evidence(evidence or [])
    author = authors.named(author)
    settings = {"ref": str(ref), "text": text, "author": author, "refuted_by": number}
    with (
        runs.recorded(catalog, "label", settings) as (opened, invocation),
        opened.writing() as session,
    ):
        given: LabelReport | EndedLabelReport
        if number is not None:
            given = refute_label(session, invocation.id, ref, number, author=author, note=note)
        elif retire:
            given = retire_label(session, invocation.id, ref, author=author, note=note)
        else:
            given = add_label(
                session,
                invocation.id,
                ref,
                text or "",
                author=author,
                note=note,
                confidence=confidence,
                evidence=evidence_of(session, evidence or []),
            )
    output.emit(given, as_json=as_json, table=label_table)
