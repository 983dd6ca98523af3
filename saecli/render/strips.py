"""A small chart in text: points and intervals of several rows over one axis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from saecli.render.numbers import figure

LEAST, MOST = 20, 60  # characters of the drawing itself


@dataclass(frozen=True)
class Row:
    """One row of the chart.

    ``span`` is drawn as a line, ``point`` as a dot on it, ``ticks`` as small dots of their own;
    ``note`` stands at the right.
    """

    name: str
    note: str
    point: float | None
    span: tuple[float, float] | None = None
    ticks: Sequence[float] = ()
    style: str = "cyan"


@dataclass(frozen=True)
class Chart:
    """Rows over one axis, as wide as the terminal leaves room for.

    ``mark`` is a value with a dashed line through all rows; zero has a solid one.
    """

    rows: Sequence[Row]
    mark: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = max(len(row.name) for row in self.rows) + 2
        notes = max(len(row.note) for row in self.rows) + 2
        width = min(max(options.max_width - names - notes, LEAST), MOST)
        low, high, step = _axis(self.rows, self.mark)

        def column(value: float) -> int:
            return min(max(round((value - low) * (width - 1) / (high - low)), 0), width - 1)

        for row in self.rows:
            line = Text(row.name.ljust(names), no_wrap=True)
            for character, style in _cells(row, self.mark, column, width):
                line.append(character, style)
            yield line.append("  ").append(row.note)
        yield from _scale(low, high, step, names, column, width)


def _cells(
    row: Row, mark: float | None, column: Callable[[float], int], width: int
) -> list[tuple[str, str]]:
    cells = [(" ", "")] * width
    if mark is not None:
        cells[column(mark)] = ("╎", "yellow")
    cells[column(0.0)] = ("│", "dim")
    if row.span is not None:
        for i in range(column(row.span[0]), column(row.span[1]) + 1):
            cells[i] = ("━", row.style)
    for value in row.ticks:
        cells[column(value)] = ("·", row.style)
    if row.point is not None:
        cells[column(row.point)] = ("●", f"bold {row.style}")
    return cells


def _axis(rows: Sequence[Row], mark: float | None) -> tuple[float, float, float]:
    values = [0.0, *([] if mark is None else [mark])]
    for row in rows:
        values += [*([] if row.point is None else [row.point]), *(row.span or ()), *row.ticks]
    low, high = min(values), max(values)
    spread = high - low or 1.0
    low, high = low - 0.03 * spread, high + 0.03 * spread
    magnitude = 10.0 ** floor(log10(spread / 4))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= spread / 4)
    return low, high, step


def _scale(
    low: float, high: float, step: float, indent: int, column: Callable[[float], int], width: int
) -> list[Text]:
    digits = max(0, -floor(log10(step)))
    rule, labels = ["─"] * width, [" "] * (width + 12)
    k = -floor(-low / step)
    while k * step <= high:
        at, words = column(k * step), figure(k * step, digits)
        rule[at] = "┬"
        start = at - len(words) // 2
        if start >= 0:
            labels[start : start + len(words)] = words
        k += 1
    space = " " * indent
    return [
        Text(space + "".join(rule), style="dim"),
        Text(space + "".join(labels).rstrip(), style="dim"),
    ]
