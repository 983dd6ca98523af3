"""`saecli doctor`: whether activation stores and the catalog's folder are whole."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import options, output, runs, terminal
from saecli.errors import SaecliError


def doctor(
    stores: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR…", help="Activation stores; none: the catalog.", show_default=False
        ),
    ] = None,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Check activation stores, or a catalog with its folder, byte by byte against their hashes."""
    from saecli.render.store_tables import doctor_table
    from saecli.workflows.doctor import examine

    folders = stores or []
    if catalog is None and folders:
        found = examine(folders, None, terminal.progress())
    else:
        with runs.opened(catalog) as opened:
            found = examine(folders, opened, terminal.progress())
    output.emit(found, as_json=as_json, table=doctor_table)
    n_problems = sum(len(one.problems) for one in found.checked)
    if n_problems:
        raise SaecliError(
            f"{n_problems} {'problem was' if n_problems == 1 else 'problems were'} found",
            "record what is damaged again, or bring it back from a copy",
        )
