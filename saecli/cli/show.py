"""`saecli show`: everything the catalog knows about a latent, a dictionary, or an experiment."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from saecli.cli import options, output, runs, terminal
from saecli.errors import SaecliError
from saecli.refs import RECORDS, check_dictionary_name, parse_latent, parse_record


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="DICTIONARY[:INDEX]",
            help="A latent, as clip:12, a dictionary, experiment:12 or hypothesis:7.",
        ),
    ],
    top: Annotated[
        int,
        typer.Option(
            min=1, max=options.MOST_ROWS, help="How many exemplars, or latents of a dictionary."
        ),
    ] = 16,
    sort: Annotated[
        Literal["density", "max", "mean", "index"], typer.Option(help="Order of the latents.")
    ] = "density",
    out: options.Out = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Show a latent's statistics, labels and exemplars, or a dictionary's latents."""
    kind = what.partition(":")[0]
    if kind in RECORDS and ":" in what:
        if out is not None:
            raise SaecliError("a sheet shows one latent", "leave --out", usage=True)
        _show_record(kind, parse_record(what, kind), catalog, as_json)
    elif ":" in what:
        _show_latent(what, top, out, catalog, as_json)
    elif out is not None:
        raise SaecliError(
            "a sheet shows one latent", f"name one, as in {what}:0, or leave --out", usage=True
        )
    else:
        _show_dictionary(check_dictionary_name(what), sort, top, catalog, as_json)


def _show_latent(
    what: str, top: int, out: Path | None, catalog: Path | None, as_json: bool
) -> None:
    from saecli.catalog.showing import show_latent
    from saecli.render.latent_tables import show_table

    concept = parse_latent(what)
    with runs.opened(catalog) as opened, opened.reading() as session:
        found = show_latent(session, concept, n_exemplars=top)
        if out is not None:
            from saecli.cli.sheets import write_latent_sheet

            write_latent_sheet(session, concept, found, out)
            terminal.note(f"wrote {out}")
    output.emit(found, as_json=as_json, table=show_table)


def _show_dictionary(
    name: str,
    sort: Literal["density", "max", "mean", "index"],
    top: int,
    catalog: Path | None,
    as_json: bool,
) -> None:
    from saecli.catalog.showing import show_dictionary
    from saecli.render.latent_tables import dictionary_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        found = show_dictionary(session, name, sort=sort, top=top)
    output.emit(found, as_json=as_json, table=dictionary_table)


def _show_record(kind: str, number: int, catalog: Path | None, as_json: bool) -> None:
    from saecli.catalog.evidence import show_experiment, show_hypothesis
    from saecli.render.experiment_tables import show_experiment_table, show_hypothesis_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        if kind == "experiment":
            experiment = show_experiment(session, number)
        else:
            hypothesis = show_hypothesis(session, number)
    if kind == "experiment":
        output.emit(experiment, as_json=as_json, table=show_experiment_table)
    else:
        output.emit(hypothesis, as_json=as_json, table=show_hypothesis_table)
