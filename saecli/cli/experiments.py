"""`saecli experiments`: the finished experiments, filtered."""

from typing import Annotated, Literal

import typer

from saecli.cli import options, output, runs
from saecli.refs import Concept


def experiments(
    verdict: Annotated[
        Literal["supported", "refuted", "inconclusive"] | None,
        typer.Option(help="Only those with this verdict."),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option("--class", metavar="A", help="Only those on the prediction of this class."),
    ] = None,
    latent: Annotated[
        Concept | None,
        typer.Option(
            parser=options.concept,
            metavar="DICTIONARY:INDEX[+INDEX…]",
            help="Only those that edited it (of a set: all of them).",
        ),
    ] = None,
    registered: Annotated[
        bool | None,
        typer.Option(
            "--registered/--exploratory",
            help="Only those whose hypothesis was stated before the run, or by it.",
            show_default=False,
        ),
    ] = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """List the finished experiments: what was claimed, the effect, the verdict."""
    from saecli.catalog.evidence import experiment_summaries
    from saecli.records import ExperimentList
    from saecli.render.experiment_tables import experiments_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        found = experiment_summaries(
            session, verdict=verdict, class_name=class_name, registered=registered, latent=latent
        )
    output.emit(ExperimentList(found), as_json=as_json, table=experiments_table)
