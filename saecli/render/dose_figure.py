"""The picture of a dose–response curve: effect and shares over doses, beside pushes of their size.

The axis of doses is compressed away from 0 (arsinh), so that what happens within the latent's own
range can be seen beside pushes of twenty times its largest activation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import asinh, floor, log10

from PIL import Image, ImageDraw

from saecli.records import DoseReport, KnockoutReport
from saecli.render import colours
from saecli.render.dose_tables import scale
from saecli.render.lettering import write
from saecli.render.numbers import figure
from saecli.render.pictures import MARGIN

FINE = 3  # lines are drawn so many times larger and then reduced, which smooths them
LEFT, RIGHT, TOP, GAP, FOOT = 78, 30, 92, 46, 54
WIDTH, EFFECTS, SHARES = 680, 280, 150  # of the axes, in pixels
ROOM = 28  # between the numbers of two doses
BAND, PUSHED = (247, 222, 203), (233, 236, 240)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Curve:
    """One line of a panel, with the band around it and single values beside it."""

    name: str
    colour: Colour
    values: Sequence[float | None]
    band: Sequence[tuple[float, float]] | None = None
    shade: Colour = BAND
    dots: Sequence[Sequence[float]] = ()


def dose_figure(report: KnockoutReport, *, title: str = "") -> Image.Image:
    """The curve of an experiment that has doses, title and legend above."""
    doses = report.doses or []
    size = (LEFT + WIDTH + RIGHT, TOP + EFFECTS + GAP + SHARES + FOOT)
    canvas = Image.new("RGB", (size[0] * FINE, size[1] * FINE), colours.PAPER)
    effects, shares = _effects(doses), _shares(report, doses)
    upper = _Panel(doses, TOP, EFFECTS, _range(effects, report.smallest_effect))
    lower = _Panel(doses, TOP + EFFECTS + GAP, SHARES, (0.0, 1.0))
    fine = ImageDraw.Draw(canvas)
    upper.lines(fine, effects, (-abs(report.smallest_effect), abs(report.smallest_effect)))
    lower.lines(fine, shares, ())
    found = canvas.reduce(FINE)
    draw = ImageDraw.Draw(found)
    if title:
        room = size[0] - 2 * MARGIN
        write(draw, (MARGIN, MARGIN + 14), title, 16, colours.INK, width=room, bold=True)
    against = f" over {report.expect}" if report.expect else ""
    words = f"change of the margin of {report.class_}{against}, in nats"
    write(draw, (LEFT, TOP - 34), words, 12, colours.QUIET, width=WIDTH)
    _legend(draw, effects, report.smallest_effect)
    what = "patches that changed" if report.changed is not None else "predictions that left it"
    write(draw, (LEFT, TOP + EFFECTS + GAP - 10), what, 12, colours.QUIET)
    if report.changed is not None:
        _keys(draw, LEFT + 170, TOP + EFFECTS + GAP - 10, shares)
    upper.numbers(draw, lambda value: figure(value, 1 if upper.step < 1 else 0))
    lower.numbers(draw, lambda value: f"{100 * value:.0f} %")
    lower.doses(draw)
    words = f"the latents set to so many times their {scale(doses)}"
    write(draw, (LEFT + WIDTH / 2, size[1] - 12), words, 12, colours.QUIET, anchor="ms")
    return found


def _effects(doses: Sequence[DoseReport]) -> list[_Curve]:
    pushes = [one.random_directions for one in doses]
    return [
        _Curve(
            f"{pushes[0].n} random directions of the same size",
            colours.QUIET,
            [one.mean for one in pushes],
            [(min(one.effects), max(one.effects)) for one in pushes],
            PUSHED,
            [one.effects for one in pushes],
        ),
        _Curve(
            "the latents",
            colours.AFTER,
            [one.effect for one in doses],
            [(one.ci[0], one.ci[1]) for one in doses],
        ),
    ]


def _shares(report: KnockoutReport, doses: Sequence[DoseReport]) -> list[_Curve]:
    if report.changed is not None:
        changed = [one.changed or {} for one in doses]
        pushed = [one.random_directions.changed or {} for one in doses]
        return [
            _Curve(
                f"of {report.class_}, random", colours.QUIET, [one.get("target") for one in pushed]
            ),
            _Curve("of the others", colours.BEFORE, [one.get("other") for one in changed]),
            _Curve(f"of {report.class_}", colours.AFTER, [one.get("target") for one in changed]),
        ]
    return [
        _Curve("", colours.QUIET, [one.random_directions.from_class for one in doses]),
        _Curve("", colours.AFTER, [one.flipped["from_class"] for one in doses]),
    ]


def _range(curves: Sequence[_Curve], smallest: float) -> tuple[float, float]:
    ends = [end for curve in curves for pair in curve.band or () for end in pair]
    low, high = min(-abs(smallest), *ends), max(abs(smallest), *ends)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


class _Panel:
    """Axes of one panel: where a dose and a value lie, in pixels of the finished picture."""

    def __init__(
        self, doses: Sequence[DoseReport], top: int, height: int, ends: tuple[float, float]
    ) -> None:
        self.amounts = [one.amount for one in doses]
        self.top, self.height, self.ends = top, height, ends
        low, high = asinh(self.amounts[0]), asinh(self.amounts[-1])
        self.x = [LEFT + WIDTH * (asinh(a) - low) / (high - low) for a in self.amounts]
        spread = ends[1] - ends[0]
        power = 10.0 ** floor(log10(spread / 6))
        self.step = next(m * power for m in (1, 2, 5, 10) if m * power >= spread / 6)

    def y(self, value: float) -> float:
        low, high = self.ends
        return self.top + self.height * (high - value) / (high - low)

    def ticks(self) -> list[float]:
        first = -floor(-self.ends[0] / self.step + 1e-9)
        last = floor(self.ends[1] / self.step + 1e-9)
        return [k * self.step for k in range(first, last + 1)]

    def lines(
        self, draw: ImageDraw.ImageDraw, curves: Sequence[_Curve], marks: Sequence[float]
    ) -> None:
        """Everything but words, FINE times as large."""

        def line(points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
            whole = [(round(x * FINE), round(y * FINE)) for x, y in points]
            draw.line(whole, fill=colour, width=round(width * FINE), joint="curve")

        for curve in curves:
            if curve.band is not None:
                above = [(x, self.y(b)) for x, (_, b) in zip(self.x, curve.band, strict=True)]
                below = [(x, self.y(a)) for x, (a, _) in zip(self.x, curve.band, strict=True)]
                outline = [(x * FINE, y * FINE) for x, y in above + below[::-1]]
                draw.polygon(outline, fill=curve.shade)
        for tick in self.ticks():
            strong = abs(tick) < self.step / 2
            colour = colours.QUIET if strong else colours.RULE
            line([(LEFT, self.y(tick)), (LEFT + WIDTH, self.y(tick))], colour, 1)
        for mark in marks:
            for start in range(LEFT, LEFT + WIDTH, 10):
                line([(start, self.y(mark)), (start + 5, self.y(mark))], colours.INK, 1)
        for curve in curves:
            known = [
                (x, self.y(v)) for x, v in zip(self.x, curve.values, strict=True) if v is not None
            ]
            line(known, curve.colour, 2)
            spots = [(x, y, 3.5) for x, y in known] + [
                (x, self.y(v), 1.6)
                for x, several in zip(self.x, curve.dots, strict=False)
                for v in several
            ]
            for x, y, r in spots:
                box = tuple(round(c * FINE) for c in (x - r, y - r, x + r, y + r))
                draw.ellipse(box, fill=curve.colour)

    def numbers(self, draw: ImageDraw.ImageDraw, words: Callable[[float], str]) -> None:
        for tick in self.ticks():
            at = (LEFT - 8, self.y(tick) + 4)
            write(draw, at, words(tick), 11, colours.QUIET, anchor="rs")

    def doses(self, draw: ImageDraw.ImageDraw) -> None:
        """The doses below the axis; those that would touch another are left out."""
        free = float("-inf")
        for x, amount in zip(self.x, self.amounts, strict=True):
            last = amount == self.amounts[-1]
            if last or (x - free >= ROOM and self.x[-1] - x >= ROOM):
                text = f"{amount:g}".replace("-", "−")
                at = (x, self.top + self.height + 16)
                write(draw, at, text, 11, colours.QUIET, anchor="ms")
                free = x


def _legend(draw: ImageDraw.ImageDraw, curves: Sequence[_Curve], smallest: float) -> None:
    x = _keys(draw, LEFT, TOP - 12, curves)
    for start in (0, 9):
        draw.line((x + start, TOP - 16, x + start + 5, TOP - 16), fill=colours.INK, width=1)
    words = f"smallest effect of interest (±{figure(abs(smallest))})"
    write(draw, (x + 20, TOP - 12), words, 12, colours.INK, width=LEFT + WIDTH - x - 20)


def _keys(draw: ImageDraw.ImageDraw, x: float, y: float, curves: Sequence[_Curve]) -> float:
    """Coloured names in a row; returns where it ends."""
    for curve in reversed(curves):
        draw.rectangle((x, y - 9, x + 11, y + 1), fill=curve.colour)
        x += 17 + write(draw, (x + 17, y), curve.name, 12, colours.INK) + 18
    return x
