"""`saecli compare`: find a latent's concept in another dictionary."""

from typing import Annotated

import typer

from saecli.cli import options, output, runs, terminal
from saecli.errors import SaecliError
from saecli.refs import check_dictionary_name, parse_latent

MOST_OF_SET = 64  # as many as are proposed


def compare(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="DICTIONARY[:INDEX]",
            help="The latent to look for, or a whole dictionary.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str,
        typer.Option("--to", metavar="DICTIONARY", help="Where to look.", show_default=False),
    ],
    top: Annotated[
        int, typer.Option(min=1, max=options.MOST_ROWS, help="How many matches to list.")
    ] = 5,
    most_of_set: Annotated[
        int | None,
        typer.Option(
            "--set",
            min=1,
            max=MOST_OF_SET,
            metavar="N",
            help="Look also for up to N latents that together fire where it does.",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Find the latents of another dictionary that fire on the same pictures, against chance."""
    from saecli.render.evidence_tables import compare_table, dictionaries_table
    from saecli.search.matching import MatchSettings
    from saecli.workflows.compare import compare as compare_one
    from saecli.workflows.compare import compare_dictionaries

    settings = MatchSettings(seed=seed)
    check_dictionary_name(target)
    if source.partition(":")[0] == target:
        raise SaecliError(
            f"--to names the dictionary '{target}' that --from is of",
            "name another one (saecli list)",
            usage=True,
        )
    details = {"from": source, "to": target, "top": top, "set": most_of_set}
    if ":" not in source and most_of_set is not None:
        raise SaecliError(
            "a set is grown for one latent",
            f"name one, as in {source}:0, or leave --set",
            usage=True,
        )
    if ":" not in source:
        check_dictionary_name(source)
        with runs.recorded(catalog, "compare", details, seed=seed) as (opened, invocation):
            both = compare_dictionaries(
                opened, invocation, source, target, settings, terminal.progress()
            )
        output.emit(both, as_json=as_json, table=dictionaries_table)
        return
    concept = parse_latent(source)
    with runs.recorded(catalog, "compare", details, seed=seed) as (opened, invocation):
        found = compare_one(
            opened,
            invocation,
            concept,
            target,
            settings,
            top=top,
            most_of_set=most_of_set,
            progress=terminal.progress(),
        )
    output.emit(found, as_json=as_json, table=compare_table)
