"""`saecli knockout --plan`: the hypotheses of a file, tested together."""

from pathlib import Path

import typer

from saecli.cli import computing, output, plan_options, runs, terminal
from saecli.errors import SaecliError

BESIDE = {"plan_file", "device", "catalog", "as_json"}  # options that a plan file says nothing of


def knock_out_family(
    context: typer.Context, path: Path, device: str, catalog: Path | None, as_json: bool
) -> None:
    """Run a plan file and show its table.

    Raises:
        SaecliError: if the command line says what belongs into the file.
    """
    typed = [told for name, told in plan_options.typed(context).items() if name not in BESIDE]
    if typed:
        raise SaecliError(
            f"{' and '.join(typed)} beside --plan", "write it into the plan file", usage=True
        )
    from saecli.render.family_table import family_table
    from saecli.workflows.families import run_family
    from saecli.workflows.family_plans import read_family

    entries = read_family(path)
    settings = {"plan": str(path), "text": path.read_text(encoding="utf-8"), "device": device}
    with runs.recorded(catalog, "knockout", settings) as (opened, invocation):
        found = run_family(
            opened,
            invocation,
            path,
            entries,
            device=device,
            cache=computing.cache_settings(opened.files, None),
            progress=terminal.progress(),
        )
    output.emit(found, as_json=as_json, table=family_table)
