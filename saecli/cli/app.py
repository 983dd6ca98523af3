"""The entry point: parse, run one command, and end with one sentence and an exit code."""

import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from saecli import __version__
from saecli.cli import failures, loading, streams, terminal


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"saecli {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    quiet: loading.Quiet = False,
    debug: loading.Debug = False,
) -> None:
    """Train, catalogue, compare and knock out sparse-autoencoder features of vision models."""


def build() -> TyperGroup:
    """The whole command line; no command's module is imported yet."""
    app = typer.Typer(
        name="saecli",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    root = cast(TyperGroup, get_command(app))
    loading.add_commands(root)
    return root


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 done, 1 the work failed, 2 wrong usage, 130 interrupted. Whatever goes wrong ends as one
    sentence on stderr; `--debug` shows the traceback before it. A reader of stdout or stderr that
    has gone changes nothing: the work is done to its end.
    """
    terminal.settings.reset()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A label or a file name that the terminal can't show must not stop the command.
            stream.reconfigure(errors="replace")
    try:
        code = build().main(args, prog_name="saecli", standalone_mode=False)
        streams.flush(sys.stdout)
    except SystemExit as error:  # Click's and Rich's answer to any broken pipe
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        if terminal.settings.begun:  # no reader of ours: results and progress have outlived theirs
            return _fail(error.__context__)
        streams.discard(sys.stdout)  # who read the help has seen enough
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return _fail(error)
    if code == failures.INTERRUPTED:  # Typer swallows the interrupt and gives its exit code back
        return _fail(KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def _fail(error: BaseException) -> int:
    sentence, code = failures.describe(
        error, traced=terminal.settings.debug, kept=terminal.settings.kept
    )
    if terminal.settings.debug:
        streams.write("".join(traceback.format_exception(error)).rstrip(), sys.stderr)
    if sentence:
        streams.write(f"saecli: {sentence}", sys.stderr)
    return code
