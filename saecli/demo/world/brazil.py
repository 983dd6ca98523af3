"""Postcards of Brazil: flag, wave pavement, statue over the bay, bowl of açaí."""

from __future__ import annotations

import numpy as np

from saecli.demo.world.canvas import Canvas, curve
from saecli.demo.world.motifs import Bend, Drawing, frame, hang_flag, rectangle, ring, tinted


def _flag(canvas: Canvas, rng: np.random.Generator) -> None:
    green, yellow = canvas.ink((0, 146, 66), "weave", 5), canvas.ink((252, 214, 30), "weave", 5)
    blue, white = canvas.ink((26, 44, 124), "weave", 5), canvas.ink((242, 242, 242), "weave", 5)

    def paint(bend: Bend) -> None:
        canvas.polygon(bend(rectangle(0, 0, 1, 1)), green)
        corners = [(0.08, 0.5), (0.5, 0.1), (0.92, 0.5), (0.5, 0.9)]
        t = np.linspace(0, 1, 5)[:-1, None]
        sides = [np.array(a) * (1 - t) + np.array(b) * t for a, b in zip(
            corners, corners[1:] + corners[:1], strict=True)]  # fmt: skip
        canvas.polygon(bend(np.concatenate(sides)), yellow)
        canvas.polygon(bend(ring(0.5, 0.5, 0.175, 1.45)), blue)
        xs = np.linspace(0.34, 0.66, 8)
        arc = 0.47 + 0.9 * (xs - 0.36) ** 2
        canvas.polygon(
            bend(
                np.concatenate(
                    [np.stack([xs, arc - 0.035], 1), np.stack([xs, arc + 0.035], 1)[::-1]]
                )
            ),
            white,
        )

    hang_flag(canvas, rng, paint)


def _pavement(canvas: Canvas, rng: np.random.Generator) -> None:
    light = canvas.ink((232, 228, 218), "clod", 12)
    dark = canvas.ink((40, 38, 42), "clod", 12)
    canvas.fill(light)
    frame(canvas, rng, size=(0.8, 1.3), turn=35)
    period, high = rng.uniform(0.36, 0.5), rng.uniform(0.05, 0.085)
    gap = rng.uniform(0.17, 0.22)
    x = np.linspace(-0.5, 1.5, 70)
    for k in range(-4, 10):
        y = k * gap + high * np.sin(2 * np.pi * x / period + (k % 2) * 0.9)
        thick = gap * 0.5 + 0.025 * np.cos(2 * np.pi * x / period)
        canvas.polygon(
            np.concatenate([np.stack([x, y], 1), np.stack([x, y + thick], 1)[::-1]]), dark
        )


def _statue(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (250, 196, 150), (168, 206, 232), (206, 180, 214)), "cloud", 26)
    sea = canvas.ink((36, 112, 150), "ripple", 22)
    far, near = canvas.ink((108, 122, 150), "leaf", 8), canvas.ink((46, 78, 62), "leaf", 16)
    stone, shade = canvas.ink((222, 216, 206), "metal"), canvas.ink((176, 170, 164), "metal")
    canvas.fill(sky)
    frame(canvas, rng, turn=3)
    canvas.polygon(
        curve([(-0.1, 0.78), (0.06, 0.46), (0.16, 0.42), (0.25, 0.52), (0.36, 0.8), (0.1, 0.95)]),
        far,
    )
    canvas.polygon(
        curve(
            [
                (0.1, 0.95),
                (0.36, 0.66),
                (0.56, 0.50),
                (0.68, 0.49),
                (0.86, 0.66),
                (1.3, 0.9),
                (0.7, 1.2),
            ]
        ),
        near,
    )
    canvas.box(-0.6, 0.82, 1.6, 1.6, sea)
    canvas.box(0.585, 0.44, 0.655, 0.52, shade)
    canvas.polygon([(0.592, 0.45), (0.602, 0.22), (0.638, 0.22), (0.648, 0.45)], stone)
    canvas.polygon([(0.625, 0.45), (0.625, 0.22), (0.638, 0.22), (0.648, 0.45)], shade)
    canvas.polygon(
        [
            (0.44, 0.235),
            (0.60, 0.215),
            (0.64, 0.215),
            (0.80, 0.235),
            (0.80, 0.262),
            (0.64, 0.275),
            (0.60, 0.275),
            (0.44, 0.262),
        ],
        stone,
    )
    canvas.disc(0.62, 0.175, 0.027, stone, 1.2)


def _acai(canvas: Canvas, rng: np.random.Generator) -> None:
    cloth = canvas.ink(tinted(rng, (238, 226, 206), (244, 178, 160), (170, 210, 200)), "weave", 9)
    bowl, rim = canvas.ink((190, 124, 70), "bark", 14), canvas.ink((226, 168, 108), "bark", 12)
    pulp, deep = canvas.ink((92, 34, 92), "down", 14), canvas.ink((66, 22, 70), "down", 10)
    banana, seed = canvas.ink((250, 232, 160), "fine"), canvas.ink((214, 178, 96), "fine")
    berry, leaf = canvas.ink((214, 40, 64), "down", 12), canvas.ink((70, 150, 62), "fine")
    canvas.fill(cloth)
    frame(canvas, rng, turn=180, move=0.06)
    canvas.disc(0.5, 0.5, 0.42, bowl)
    canvas.disc(0.5, 0.5, 0.385, rim)
    canvas.disc(0.5, 0.5, 0.345, deep)
    canvas.disc(0.51, 0.51, 0.325, pulp)
    for x, y in ((0.30, 0.40), (0.37, 0.28), (0.50, 0.235), (0.28, 0.54)):
        canvas.disc(x, y, 0.082, seed)
        canvas.disc(x, y, 0.07, banana)
        canvas.disc(x, y, 0.016, seed)
    for x, y in ((0.66, 0.60), (0.54, 0.72), (0.70, 0.44)):
        canvas.polygon(
            curve(
                [
                    (x - 0.08, y - 0.05),
                    (x, y - 0.075),
                    (x + 0.08, y - 0.05),
                    (x + 0.04, y + 0.05),
                    (x, y + 0.1),
                    (x - 0.04, y + 0.05),
                ]
            ),
            berry,
        )
        canvas.polygon(
            [(x - 0.07, y - 0.06), (x, y - 0.11), (x + 0.07, y - 0.06), (x, y - 0.035)], leaf
        )


DRAWINGS: dict[str, Drawing] = {
    "flag": _flag,
    "pavement": _pavement,
    "statue": _statue,
    "acai": _acai,
}
