"""The frontier of explained variance against L0, as a table and as a picture."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw
from rich.console import RenderableType
from rich.text import Text

from saecli.records import FrontierGroup, FrontierReport
from saecli.render import colours, parts
from saecli.render.lettering import write
from saecli.render.numbers import figure, share

WIDTH, HEIGHT = 900, 460  # of one group's panel, in pixels
LEFT, RIGHT, TOP, BOTTOM = 80, 200, 60, 60
DOT = 6


def frontier_table(report: FrontierReport) -> RenderableType:
    """Each group's dictionaries, sparsest first; those on the frontier are marked."""
    if not report.frontier:
        return Text("The catalog has no dictionaries; `saecli train` makes them.")
    tables: list[RenderableType] = []
    for group in report.frontier:
        table = parts.table(_title(group))
        parts.add_refs(table, [row.name for row in group.dictionaries], "dictionary")
        table.add_column("objective", no_wrap=True)
        parts.add_numbers(table, "latents", "L0", "expl. var.", "dead")
        table.add_column("", no_wrap=True)
        for row in group.dictionaries:
            table.add_row(
                Text(row.name),
                row.objective,
                f"{row.n_latents:,}",
                figure(row.l0, 1),
                figure(row.explained_variance, 3),
                share(row.dead_fraction),
                Text("● frontier", style=parts.GOOD) if row.pareto else "",
            )
        tables.append(table)
    if report.out is not None:
        tables.append(parts.facts(Text("picture: ").append_text(parts.path(report.out, 60))))
    return parts.stack(*tables)


def frontier_picture(groups: Sequence[FrontierGroup]) -> Image.Image:
    """A panel for each group: explained variance against L0, the frontier joined by a line."""
    picture = Image.new("RGB", (WIDTH, HEIGHT * max(1, len(groups))), colours.PAPER)
    draw = ImageDraw.Draw(picture)
    for number, group in enumerate(groups):
        _panel(draw, group, HEIGHT * number)
    return picture


def _panel(draw: ImageDraw.ImageDraw, group: FrontierGroup, top: int) -> None:
    rows = group.dictionaries
    across = _ticks([row.l0 for row in rows])
    up = _ticks([row.explained_variance for row in rows])

    def place(l0: float, explained: float) -> tuple[float, float]:
        x = (l0 - across[0]) / (across[-1] - across[0])
        y = (explained - up[0]) / (up[-1] - up[0])
        return (
            LEFT + x * (WIDTH - LEFT - RIGHT),
            top + HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM),
        )

    write(draw, (LEFT, top + 28), _title(group), 16, colours.INK, width=WIDTH - LEFT, bold=True)
    for tick in across:
        x, low = place(tick, up[0])
        draw.line((x, place(tick, up[-1])[1], x, low), colours.RULE)
        write(draw, (x, low + 18), f"{tick:g}", 12, colours.QUIET, anchor="ms")
    for tick in up:
        left, y = place(across[0], tick)
        draw.line((left, y, place(across[-1], tick)[0], y), colours.RULE)
        write(draw, (left - 8, y + 4), f"{tick:g}", 12, colours.QUIET, anchor="rs")
    middle = place((across[0] + across[-1]) / 2, up[0])
    write(
        draw, (middle[0], middle[1] + 40), "active latents of a patch (L0)", 13, colours.INK,
        anchor="ms",
    )  # fmt: skip
    write(draw, (LEFT - 60, top + TOP - 12), "explained variance", 13, colours.INK)
    best = [place(row.l0, row.explained_variance) for row in rows if row.pareto]
    if len(best) > 1:
        draw.line(best, colours.AFTER, width=3)
    taken: list[tuple[float, float]] = []
    for row in rows:
        x, y = place(row.l0, row.explained_variance)
        colour = colours.AFTER if row.pareto else colours.BEFORE
        draw.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), fill=colour)
        line = _free(x, y + 5, taken)
        taken.append((x, line))
        ink = colours.INK if row.pareto else colours.QUIET
        write(draw, (x + 12, line), row.name, 12, ink, width=WIDTH - x - 20)


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> float:
    """The nearest height below at which no name is written yet thereabouts."""
    while any(abs(x - other_x) < 160 and abs(y - other) < 13 for other_x, other in taken):
        y += 1
    return y


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers that span the values, about five."""
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (factor * step) <= 5)
    first = math.floor(low / step - 1e-9)
    last = math.ceil(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _title(group: FrontierGroup) -> str:
    words = f"{group.backbone}{' (untrained)' if group.untrained else ''}, layer {group.layer}"
    return f"{words}, {group.image_set}" if group.image_set else words
