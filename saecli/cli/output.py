"""The result of a command: one table, or one JSON document, on stdout."""

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from saecli.cli import streams
from saecli.records import as_json as plain_values

if TYPE_CHECKING:
    from rich.console import RenderableType

Record = TypeVar("Record")

_WIDEST = 10_000  # columns: off a terminal nothing is wrapped or shortened


def emit(record: Record, *, as_json: bool, table: Callable[[Record], "RenderableType"]) -> None:
    """Show a command's result.

    Args:
        record: a frozen dataclass of `saecli.records`; its fields are the JSON keys.
        as_json: print one JSON document and nothing else.
        table: makes the Rich renderable for people; only called without ``as_json``.
    """
    if as_json:
        streams.write(_document(record), sys.stdout)
    else:
        show(table(record))


def show(renderable: "RenderableType") -> None:
    """Print a renderable on stdout: as wide as the terminal, or as wide as it is off one."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(renderable)
        return
    width = int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdigit() else _WIDEST
    console = Console(highlight=False, width=width)
    with console.capture() as captured:
        console.print(renderable)
    lines = captured.get().splitlines()
    streams.write("\n".join(line.rstrip() for line in lines), sys.stdout)


def _document(record: object) -> str:
    values = plain_values(record)
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal of another encoding, or a file name that is no UTF-8
        text = json.dumps(values, indent=2, allow_nan=False)
    return text
