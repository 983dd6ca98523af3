"""`saecli rerun`: the same experiment once more, figure by figure."""

from typing import Annotated

import typer

from saecli.cli import options, output, runs, terminal
from saecli.refs import parse_record


def rerun(
    experiment: Annotated[
        str, typer.Argument(metavar="experiment:N", help="The experiment.", show_default=False)
    ],
    device: options.Device = "auto",
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Run an experiment's plan on its pictures again, and say whether every figure is the same."""
    from saecli.render.experiment_tables import rerun_table
    from saecli.workflows.rerun import rerun_experiment

    number = parse_record(experiment, "experiment")
    settings = {"experiment": number, "device": device}
    with runs.recorded(catalog, "rerun", settings) as (opened, invocation):
        found = rerun_experiment(
            opened, invocation, number, device=device, progress=terminal.progress()
        )
    output.emit(found, as_json=as_json, table=rerun_table)
