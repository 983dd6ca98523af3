"""Ranges of figures as they are typed: `0.001..0.01`, `>5`, `<=2%`."""

import re
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.errors import SaecliError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_BETWEEN = re.compile(rf"({_NUMBER})?\.\.({_NUMBER})?(%?)")
_BEYOND = re.compile(rf"(>=|<=|>|<|≥|≤)\s*({_NUMBER})(%?)")


@dataclass(frozen=True)
class Range:
    """Values from ``low`` to ``high``; an open end doesn't hold its own value."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    def holds(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Which values lie within; what is no number doesn't."""
        given = np.asarray(values, np.float64)
        above = given > self.low if self.low_open else given >= self.low
        below = given < self.high if self.high_open else given <= self.high
        found: NDArray[np.bool_] = above & below
        return found


def parse_range(text: str) -> Range:
    """Read `0.001..0.01` (ends included), `0.1%..1%`, `5..`, `..2`, `>5`, `>=5`, `<2`, `<=2`.

    Raises:
        SaecliError: if the text has another form, or the range runs backwards.
    """
    stripped = text.strip()
    # A percent sign may stand behind each number or behind the last.
    between = _BETWEEN.fullmatch(re.sub(r"%(?=\.\.)", "", stripped))
    if between and (between[1] or between[2]):
        share = 0.01 if "%" in stripped else 1.0
        low = float(between[1]) * share if between[1] else -inf
        high = float(between[2]) * share if between[2] else inf
        if low <= high:
            return Range(low, high)
    beyond = _BEYOND.fullmatch(stripped)
    if beyond:
        end = float(beyond[2]) * (0.01 if beyond[3] else 1.0)
        if beyond[1] in (">", ">=", "≥"):
            return Range(end, inf, low_open=beyond[1] == ">")
        return Range(-inf, end, high_open=beyond[1] == "<")
    raise SaecliError(
        f"'{text}' is no range", "write it as 0.001..0.01, '>5' or '<=2%'", usage=True
    )
