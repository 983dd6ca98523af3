"""Grounds under a sky: the landscapes, and the scenery behind the birds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saecli.demo.world.canvas import Canvas, Points
from saecli.demo.world.labels import GROUNDS

SECOND_GROUND_SHARE = 0.55
"""Share of the scenes that show another ground beside the main one."""


@dataclass(frozen=True)
class Scene:
    """What a drawn scenery shows.

    Attributes:
        habitat: the main ground.
        second: the other ground, or None.
        horizon: its height, 0 (top) to 1.
    """

    habitat: str
    second: str | None
    horizon: float


@dataclass(frozen=True)
class _Wave:
    """The random numbers of one border: swell, notches and slope."""

    phases: NDArray[np.float64]
    swell: NDArray[np.float64]
    notches: NDArray[np.float64]
    slope: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Wave:
        return cls(
            rng.uniform(0, 2 * np.pi, 3),
            rng.normal(0, 1, 3),
            rng.normal(0, 1, 96),
            float(rng.normal(0, 0.05)),
        )

    def border(self, ground: str, level: float, swell: float) -> Points:
        """The upper edge of a ground: jagged rock, bushy trees, tufted grass, else smooth."""
        n = {"rock": 14, "grass": 96, "tree": 90}.get(ground, 40)
        x = np.linspace(-0.02, 1.02, n)
        y = level + self.slope * (x - 0.5)
        for k, (phase, size) in enumerate(zip(self.phases, self.swell, strict=True)):
            y = y + swell * size * np.sin(2 * np.pi * (0.6 + k) * x + phase) / (1 + k)
        if ground == "rock":
            y = y + 0.022 * self.notches[:n]
        elif ground == "grass":
            y = y - 0.016 * np.abs(self.notches[:n]) * (np.arange(n) % 2)
        elif ground == "tree":
            bumps = np.abs(np.sin(np.pi * (5.5 * x + self.phases[0])))
            y = y - 0.05 * bumps - 0.012 * np.abs(self.notches[:n]) * (np.arange(n) % 2)
        return np.stack([x, y], axis=1)


def _below(edge: Points) -> Points:
    return np.concatenate([edge, [(1.05, 1.05), (-0.05, 1.05)]])


def draw_scenery(
    canvas: Canvas, rng: np.random.Generator, habitat: str | None, *, low: bool
) -> Scene:
    """Draw sky, a distant ridge, one or two grounds and perhaps a tree.

    The number of random draws doesn't depend on the grounds, so that another habitat gives
    the same composition.

    Args:
        canvas: what to draw on; everything on it is covered.
        rng: the picture's generator.
        habitat: the main ground instead of the one that is drawn by chance.
        low: keep the horizon low, for a bird that stands before the sky.

    Returns:
        The scene's grounds and horizon.
    """
    chance = rng.random(8)
    drawn = GROUNDS[int(rng.integers(len(GROUNDS)))]
    other = GROUNDS[int(rng.integers(len(GROUNDS)))]
    main = habitat or drawn
    horizon = 0.3 + (0.28 if low else 0.25) * chance[0]
    share = 0.14 + 0.26 * chance[1]
    far, near, ridge = _Wave.drawn(rng), _Wave.drawn(rng), _Wave.drawn(rng)
    tree = rng.random(16)

    second: str | None = other
    if chance[2] > SECOND_GROUND_SHARE or other in (main, "sky"):
        second = None

    canvas.fill(0)
    if main != "sky":
        if chance[3] < 0.3:
            edge = ridge.border("rock", horizon - 0.07, 0.05)
            canvas.polygon(_below(edge), "haze")
        if second is not None:
            canvas.polygon(_below(far.border(second, horizon, 0.008)), second)
            level = horizon + share * (1 - horizon) * (1.15 if main != "tree" else 1.6)
            if main == "tree":
                level += 0.05
            canvas.polygon(_below(near.border(main, level, 0.03)), main)
        else:
            canvas.polygon(_below(near.border(main, horizon, 0.022)), main)
    elif second is not None:
        canvas.polygon(_below(near.border(second, 0.86 + 0.06 * chance[1], 0.012)), second)
    if (
        (second or main) not in ("sky", "tree", "water")
        and main not in ("sky", "tree")
        and chance[4] < 0.4
    ):
        _draw_tree(canvas, tree, horizon)
    return Scene(main, second, horizon)


def _draw_tree(canvas: Canvas, chance: NDArray[np.float64], horizon: float) -> None:
    """A round tree whose foot stands a little below the horizon."""
    x = 0.08 + 0.84 * chance[0]
    foot = horizon + 0.03 + 0.06 * chance[1]
    height = 0.24 + 0.16 * chance[2]
    crown = height * (0.30 + 0.06 * chance[3])
    top = foot - height
    trunk = 0.018 + 0.012 * chance[4]
    canvas.polygon(
        [(x - trunk * 1.3, foot), (x - trunk * 0.7, top), (x + trunk * 0.7, top),
         (x + trunk * 1.3, foot)], "trunk",
    )  # fmt: skip
    angles = np.linspace(0, 2 * np.pi, 6)[:5] + 6 * chance[5]
    for angle, size in zip(angles, chance[6:11], strict=True):
        canvas.disc(
            x + 0.75 * crown * float(np.cos(angle)),
            top + 0.6 * crown + 0.55 * crown * float(np.sin(angle)),
            crown * (0.55 + 0.25 * size),
            "tree",
        )
