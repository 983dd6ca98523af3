"""What the user sees beside the result, on stderr: progress bars, or plain lines, and notes."""

import sys
from dataclasses import dataclass, fields

from saecli.cli import streams
from saecli.cli.failures import one_line
from saecli.cli.lines import Lines
from saecli.progress import SILENT, Progress


@dataclass
class Settings:
    """What the options that every command takes have set.

    ``begun``: the command line was understood, and its command runs;
    ``kept``: the run is on record.
    """

    quiet: bool = False
    debug: bool = False
    begun: bool = False
    kept: bool = False

    def reset(self) -> None:
        for field in fields(self):
            setattr(self, field.name, field.default)


settings = Settings()


def progress() -> Progress:
    """Bars on a terminal, plain lines at a low rate elsewhere, nothing with `--quiet`."""
    if settings.quiet:
        return SILENT
    if sys.stderr.isatty():
        from rich.console import Console

        from saecli.cli.bars import Bars

        console = Console(stderr=True)
        if not console.is_dumb_terminal:
            return Bars(console)
    return Lines(sys.stderr)


def note(message: str) -> None:
    """A line for the user that is no part of the result; `--quiet` drops it."""
    if not settings.quiet:
        streams.write(one_line(message), sys.stderr)
