"""What several postcards are made of: a moved and turned frame, a flag on its pole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from saecli.demo.world.canvas import Canvas, Points
from saecli.demo.world.labels import Rgb

Drawing = Callable[[Canvas, np.random.Generator], None]
"""Draws one symbol on a canvas."""

Bend = Callable[[ArrayLike], Points]
"""Moves points of a flat flag (0-1 across, 0-1 down) to where the wind carries them."""


def tinted(rng: np.random.Generator, *colours: Rgb) -> Rgb:
    """One of the colours by chance."""
    return colours[int(rng.integers(len(colours)))]


def frame(
    canvas: Canvas,
    rng: np.random.Generator,
    *,
    size: tuple[float, float] = (0.85, 1.12),
    turn: float = 6.0,
    move: float = 0.07,
    mirror: bool = True,
) -> None:
    """Let the shapes that follow be moved, scaled, turned and mirrored by chance.

    Args:
        canvas: whose shift is set.
        rng: the picture's generator.
        size: smallest and largest scale.
        turn: largest angle in degrees.
        move: largest shift in picture widths.
        mirror: whether left and right may change places.
    """
    scale = rng.uniform(*size)
    angle = np.deg2rad(rng.uniform(-turn, turn))
    dx, dy = rng.uniform(-move, move, 2)
    side = -1.0 if mirror and rng.random() < 0.5 else 1.0
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[side * cos, -sin], [side * sin, cos]])
    centre = np.array([0.5 + dx, 0.5 + dy])
    canvas.shift = np.concatenate([linear, (centre - linear @ (0.5, 0.5))[:, None]], axis=1)


def hang_flag(
    canvas: Canvas,
    rng: np.random.Generator,
    paint: Callable[[Bend], None],
) -> None:
    """Draw sky, a pole and a waving cloth.

    Args:
        canvas: what to draw on.
        rng: the picture's generator.
        paint: draws the cloth, through the function that it gets.
    """
    sky = canvas.ink(tinted(rng, (150, 196, 226), (196, 206, 214), (232, 208, 188)), "cloud", 30)
    pole = canvas.ink(tinted(rng, (110, 98, 88), (196, 192, 186), (84, 60, 44)), "metal", 10)
    canvas.fill(sky)
    frame(canvas, rng, size=(0.85, 1.1), turn=4, mirror=False)
    phase, swing = rng.uniform(0, 2 * np.pi), rng.uniform(0.015, 0.04)
    droop = rng.uniform(-0.02, 0.08)

    def bend(points: ArrayLike) -> Points:
        flat = np.asarray(points, float)
        x, y = flat[:, 0], flat[:, 1]
        lift = swing * np.sin(7.5 * x + phase) * (0.3 + x) + droop * x
        return np.stack([0.16 + 0.76 * x, 0.17 + 0.50 * y + lift], axis=1)

    canvas.polygon([(0.11, 0.08), (0.16, 0.08), (0.17, 1.4), (0.10, 1.4)], pole)
    canvas.disc(0.135, 0.075, 0.038, pole)
    paint(bend)


def rectangle(x0: float, y0: float, x1: float, y1: float, steps: int = 12) -> Points:
    """Outline of a rectangle with enough points along its length to be bent."""
    xs = np.linspace(x0, x1, steps)
    return np.concatenate(
        [np.stack([xs, np.full(steps, y0)], 1), np.stack([xs[::-1], np.full(steps, y1)], 1)]
    )


def ring(x: float, y: float, radius: float, squash: float = 1.0, n: int = 28) -> Points:
    """Points on an ellipse."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * squash * np.sin(angle)], axis=1)
