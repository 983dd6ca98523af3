"""Opening the catalog for a command: to read, or to write with the run recorded in it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saecli.cli import terminal
from saecli.errors import SaecliError

if TYPE_CHECKING:
    from saecli.catalog.invocations import Invocation
    from saecli.catalog.opening import Catalog


@contextmanager
def opened(path: Path | None) -> "Iterator[Catalog]":
    """The catalog, to read."""
    from saecli.catalog.opening import open_catalog

    with open_catalog(path, note=terminal.note) as catalog:
        yield catalog


@contextmanager
def recorded(
    path: Path | None,
    command: str,
    settings: Mapping[str, Any],
    *,
    seed: int | None = None,
    create: bool = False,
) -> "Iterator[tuple[Catalog, Invocation]]":
    """The catalog, to write, and the invocation that every row written points to."""
    from saecli.catalog.opening import open_catalog
    from saecli.workflows.invocations import versions

    with (
        open_catalog(path, write=True, create=create, note=terminal.note) as catalog,
        catalog.begin(
            command, _arguments(command), settings, seed=seed, versions=versions()
        ) as invocation,
    ):
        terminal.settings.kept = True
        try:
            yield catalog, invocation
        finally:
            # Only now is torch loaded; and what went wrong first is what the user must see.
            with suppress(SaecliError):
                invocation.resolve(versions=versions(invocation.settings.get("device")))


def _arguments(command: str) -> list[str]:
    """What was typed beside the command's own words."""
    typed = sys.argv[1:]
    for word in command.split():
        if word in typed:
            typed.remove(word)
    return typed
