"""Charts as SVG without words: they stretch to any width, while the words around them keep theirs.

Lines and dots don't stretch with the drawing (`vector-effect`), so that a chart reads the same on
a phone, a screen and paper. Colours and widths are classes of the page's style sheet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor, log10

from markupsafe import Markup

WIDTH = 1000  # of every drawing, in its own units

Point = tuple[float, float]


@dataclass
class Canvas:
    """Two linear axes and what is drawn over them.

    Args:
        x: the values at the left and right edge.
        y: the values at the bottom and top edge.
        height: in the drawing's units.
        words: what it shows, for who can't see it.
    """

    x: Point
    y: Point
    height: int
    words: str
    _parts: list[Markup] = field(default_factory=list)

    def left(self, value: float) -> float:
        """Where a value lies, in per cent of the width."""
        low, high = self.x
        return 100 * (value - low) / (high - low)

    def line(self, points: Sequence[Point], kind: str) -> None:
        """A line through points."""
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in map(self._at, points))
        self._parts.append(Markup('<path class="{}" d="M{}"/>').format(kind, path))

    def dot(self, at: Point, kind: str) -> None:
        """A round dot."""
        x, y = self._at(at)
        # A line of no length with round ends: it stays round however the drawing is stretched.
        self._parts.append(
            Markup('<path class="dot {}" d="M{:.1f} {:.1f}h.01"/>').format(kind, x, y)
        )

    def box(self, low: Point, high: Point, kind: str) -> None:
        """A filled box between two corners."""
        (left, bottom), (right, top) = self._at(low), self._at(high)
        self._parts.append(
            Markup('<path class="{}" d="M{:.1f} {:.1f}H{:.1f}V{:.1f}H{:.1f}z"/>').format(
                kind, left, bottom, right, top, left
            )
        )

    def band(self, upper: Sequence[Point], lower: Sequence[Point], kind: str) -> None:
        """A filled area between two lines."""
        around = map(self._at, [*upper, *lower[::-1]])
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in around)
        self._parts.append(Markup('<path class="{}" d="M{}z"/>').format(kind, path))

    def across(self, value: float, kind: str) -> None:
        """A line from left to right at a value of y."""
        self.line([(self.x[0], value), (self.x[1], value)], kind)

    def upright(self, value: float, kind: str) -> None:
        """A line from bottom to top at a value of x."""
        self.line([(value, self.y[0]), (value, self.y[1])], kind)

    def svg(self) -> Markup:
        """The drawing."""
        return Markup(
            '<svg class="drawing" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
            'aria-label="{}">{}</svg>'
        ).format(WIDTH, self.height, self.words, Markup("").join(self._parts))

    def _at(self, point: Point) -> Point:
        low, high = self.y
        y = self.height * (high - point[1]) / (high - low)
        return WIDTH * self.left(point[0]) / 100, y


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values within a range, at most about so many."""
    spread = high - low
    if not spread > 0:
        return [low]
    power = 10.0 ** floor(log10(spread / most))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= spread / most)
    first, last = -floor(-low / step + 1e-9), floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def around(values: Sequence[float], room: float = 0.04) -> Point:
    """A range with all values in it and some room."""
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    return low - room * spread, high + room * spread
