"""Commands that are imported when they are run, not when they are listed."""

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from saecli.cli import terminal
from saecli.cli.commands import COMMANDS, GROUPS, Entry


def set_quiet(value: bool) -> None:
    """Take `--quiet` wherever it stands: before the command's name or after it."""
    if value:
        terminal.settings.quiet = True


def set_debug(value: bool) -> None:
    """Take `--debug` wherever it stands."""
    if value:
        terminal.settings.debug = True


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=set_quiet,
        is_eager=True,
        expose_value=False,
        help="Show no progress and no notes, only the result.",
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        callback=set_debug,
        is_eager=True,
        expose_value=False,
        help="Show the traceback of a failure.",
    ),
]


def _everywhere(quiet: Quiet = False, debug: Debug = False) -> None:
    """The options that every command takes."""


def _as_command(function: Callable[..., None], name: str) -> TyperCommand:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name=name)(function)
    return cast(TyperCommand, get_command(app))


def load(entry: Entry) -> Callable[..., None]:
    """Import a command's module and return its function."""
    module, _, function = entry.target.partition(":")
    loaded: Callable[..., None] = getattr(import_module(f"saecli.cli.{module}"), function)
    return loaded


class LazyCommand(TyperCommand):
    """Stands in the listing for a command; the real one takes over when it is called."""

    def __init__(self, entry: Entry) -> None:
        group, _, leaf = entry.name.rpartition(" ")
        super().__init__(
            name=leaf,
            help=entry.help,
            short_help=entry.help,
            rich_help_panel=None if group else entry.panel,
        )
        self.entry = entry

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        command = _as_command(load(self.entry), self.name or "")
        command.params += _as_command(_everywhere, "everywhere").params
        context = command.make_context(info_name, args, parent=parent, **extra)
        terminal.settings.begun = True
        return context


def add_commands(root: TyperGroup) -> None:
    """List every command of the table under the root or under its group."""
    for entry in COMMANDS:
        group_name, _, leaf = entry.name.rpartition(" ")
        group = root
        if group_name:
            if group_name not in root.commands:
                panel, line = GROUPS[group_name]
                root.add_command(
                    TyperGroup(
                        name=group_name,
                        help=line,
                        short_help=line,
                        no_args_is_help=True,
                        rich_help_panel=panel,
                    )
                )
            group = cast(TyperGroup, root.commands[group_name])
        group.add_command(LazyCommand(entry), leaf)
