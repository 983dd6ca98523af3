"""`saecli knockout --plan`, `hypothesis add --plan`: the hypotheses of a file, taken together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from saecli.cli import computing, output, plan_options, runs, terminal
from saecli.errors import SaecliError

BESIDE = {
    "plan_file",
    "device",
    "catalog",
    "out",
    "as_json",
}  # options that a plan file says nothing of


def knock_out_family(
    context: typer.Context,
    path: Path,
    out: Path | None,
    device: str,
    catalog: Path | None,
    as_json: bool,
) -> None:
    """Run a plan file, draw each experiment into a folder if one is named, and show the table.

    Raises:
        SaecliError: if the command line says what belongs into the file, or ``out`` can't be a
            folder of pictures.
    """
    from saecli.render.family_table import family_table
    from saecli.render.saving import check_folder_name
    from saecli.workflows.families import run_family

    if out is not None:
        check_folder_name(out)
    report, experiments = _taken(context, "knockout", run_family, path, device, catalog)
    if out is not None:
        from saecli.cli.sheets import write_experiment_figure

        out.mkdir(exist_ok=True)
        for one in experiments:
            write_experiment_figure(one, out / f"experiment-{one.report.experiment}.png")
        terminal.note(f"wrote the figures of {len(experiments)} experiments to {out}")
    output.emit(report, as_json=as_json, table=family_table)


def add_family(
    context: typer.Context, path: Path, device: str, catalog: Path | None, as_json: bool
) -> None:
    """Commit the hypotheses of a plan file as registered; none is run.

    Raises:
        SaecliError: if the command line says what belongs into the file.
    """
    from saecli.records import StatedFamily
    from saecli.render.experiment_tables import stated_table
    from saecli.workflows.families import state_family

    stated = _taken(context, "hypothesis add", state_family, path, device, catalog)
    output.emit(StatedFamily(str(path), stated), as_json=as_json, table=stated_table)


def _taken(
    context: typer.Context,
    command: str,
    take: Callable[..., Any],
    path: Path,
    device: str,
    catalog: Path | None,
) -> Any:
    typed = [told for name, told in plan_options.typed(context).items() if name not in BESIDE]
    if typed:
        raise SaecliError(
            f"{' and '.join(typed)} beside --plan", "write it into the plan file", usage=True
        )
    from saecli.workflows.family_plans import read_family

    entries = read_family(path)
    settings = {"plan": str(path), "text": path.read_text(encoding="utf-8"), "device": device}
    with runs.recorded(catalog, command, settings) as (opened, invocation):
        return take(
            opened,
            invocation,
            path,
            entries,
            device=device,
            cache=computing.cache_settings(opened.files, None),
            progress=terminal.progress(),
        )
