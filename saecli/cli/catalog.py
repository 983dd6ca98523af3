"""`saecli catalog`: the file that everything is kept in."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import options, output, runs, terminal
from saecli.errors import SaecliError
from saecli.refs import check_dictionary_name


def info(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """Show a catalog's identity, schema, size and counts."""
    from saecli.catalog import maintenance
    from saecli.render.catalog_tables import facts_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        found = maintenance.info(session, opened)
    output.emit(found, as_json=as_json, table=facts_table)


def check(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """Check a catalog's pages, references and every artifact's hash."""
    from saecli.catalog import maintenance
    from saecli.render.catalog_tables import facts_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        found = maintenance.check(session)
    output.emit(found, as_json=as_json, table=facts_table)
    if not found.ok:
        raise SaecliError(
            f"the catalog has {len(found.problems)} problems",
            "go back to a backup, or mend what is listed",
        )


def upgrade(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """Bring a catalog to this version's schema, with a backup of the old one beside it."""
    from saecli.catalog import maintenance
    from saecli.render.catalog_tables import facts_table

    done = maintenance.upgrade(catalog, note=terminal.note)
    output.emit(done, as_json=as_json, table=facts_table)


def backup(
    out: Annotated[Path, typer.Argument(help="The copy.", show_default=False)],
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Copy a catalog with its folder of files, also while others write."""
    from saecli.catalog import maintenance
    from saecli.render.catalog_tables import facts_table

    with runs.opened(catalog) as opened:
        done = maintenance.backup(opened, out)
    output.emit(done, as_json=as_json, table=facts_table)


def merge(
    other: Annotated[Path, typer.Argument(help="The other catalog.", show_default=False)],
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Bring in what another catalog has: dictionaries, labels, experiments, all of it."""
    from saecli.catalog.merging.merge import merge as merge_catalogs
    from saecli.catalog.schema import read_schema
    from saecli.render.catalog_tables import merge_table

    read_schema(other)  # a wrong name is told before anything is recorded
    with runs.recorded(catalog, "catalog merge", {"other": str(other)}, create=True) as (opened, _):
        done = merge_catalogs(opened, other)
    output.emit(done, as_json=as_json, table=merge_table)


def vacuum(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """Give room back: drop what nothing uses, and pack the catalog's file."""
    from saecli.catalog import maintenance
    from saecli.render.catalog_tables import facts_table

    with runs.recorded(catalog, "catalog vacuum", {}) as (opened, _):
        done = maintenance.vacuum(opened)
    output.emit(done, as_json=as_json, table=facts_table)


def relocate(
    folder: Annotated[Path, typer.Argument(help="Where the pictures are.", show_default=False)],
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Find pictures that moved again, by their bytes."""
    from saecli.catalog.relocation import relocate as relocate_pictures
    from saecli.render.catalog_tables import facts_table

    with runs.recorded(catalog, "catalog relocate", {"folder": str(folder)}) as (opened, _):
        found = relocate_pictures(opened, folder, terminal.progress())
    output.emit(found, as_json=as_json, table=facts_table)


def default(
    name: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Choose the dictionary that commands take where none is named."""
    from saecli.catalog.dictionaries import set_default
    from saecli.records import DefaultReport
    from saecli.render.catalog_tables import facts_table

    check_dictionary_name(name)
    with (
        runs.recorded(catalog, "catalog default", {"name": name}) as (opened, _),
        opened.writing() as session,
    ):
        set_default(session, name)
    output.emit(DefaultReport(default=name), as_json=as_json, table=facts_table)
