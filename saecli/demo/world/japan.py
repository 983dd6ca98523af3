"""Postcards of Japan: flag, scale-wave pattern, mountain with blossom, plate of sushi."""

from __future__ import annotations

import numpy as np

from saecli.demo.world.canvas import Canvas, curve, stroke
from saecli.demo.world.motifs import Bend, Drawing, frame, hang_flag, rectangle, ring, tinted


def _flag(canvas: Canvas, rng: np.random.Generator) -> None:
    white, red = canvas.ink((246, 244, 242), "weave", 5), canvas.ink((196, 8, 48), "weave", 5)

    def paint(bend: Bend) -> None:
        canvas.polygon(bend(rectangle(0, 0, 1, 1)), white)
        canvas.polygon(bend(ring(0.5, 0.5, 0.20, 1.5)), red)

    hang_flag(canvas, rng, paint)


def _scales(canvas: Canvas, rng: np.random.Generator) -> None:
    deep = tinted(rng, (34, 58, 120), (24, 104, 96), (112, 40, 78), (60, 62, 70))
    dark, light = canvas.ink(deep, "weave", 9), canvas.ink((226, 228, 222), "weave", 9)
    canvas.fill(dark)
    frame(canvas, rng, size=(0.9, 1.4), turn=20)
    radius = 0.135
    for row in range(-4, 20):
        y = row * radius * 0.52
        for column in range(-2, 7):
            x = (column + 0.5 * (row % 2)) * 2 * radius
            if np.abs(canvas.shift @ (x, y, 1) - 0.5).max() > 0.75:
                continue
            for share, ink in (
                (1.0, light),
                (0.86, dark),
                (0.66, light),
                (0.52, dark),
                (0.3, light),
            ):
                canvas.disc(x, y, radius * share, ink)


def _mountain(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (176, 208, 236), (244, 222, 190), (196, 196, 224)), "cloud", 22)
    slope, snow = canvas.ink((92, 104, 150), "facet", 8), canvas.ink((244, 246, 250), "drift", 10)
    lake, shore = canvas.ink((128, 162, 196), "ripple", 18), canvas.ink((96, 118, 84), "leaf", 14)
    wood, pink = canvas.ink((70, 48, 50), "bark", 10), canvas.ink((244, 170, 196), "leaf", 16)
    pale = canvas.ink((252, 208, 222), "leaf", 12)
    canvas.fill(sky)
    frame(canvas, rng, turn=3)
    canvas.polygon(
        [
            (-0.2, 0.76),
            (0.08, 0.62),
            (0.30, 0.40),
            (0.40, 0.27),
            (0.56, 0.27),
            (0.66, 0.40),
            (0.90, 0.63),
            (1.2, 0.76),
        ],
        slope,
    )
    canvas.polygon(
        [
            (0.30, 0.40),
            (0.40, 0.27),
            (0.56, 0.27),
            (0.66, 0.40),
            (0.60, 0.45),
            (0.56, 0.39),
            (0.51, 0.48),
            (0.46, 0.40),
            (0.40, 0.47),
            (0.36, 0.40),
        ],
        snow,
    )
    canvas.box(-0.6, 0.74, 1.6, 1.6, lake)
    canvas.polygon(
        [(-0.6, 0.72), (0.2, 0.735), (0.6, 0.72), (1.6, 0.74), (1.6, 0.775), (-0.6, 0.775)], shore
    )
    canvas.polygon(
        stroke(
            [(1.15, 0.05), (0.92, 0.16), (0.72, 0.17), (0.52, 0.10)], (0.06, 0.045, 0.03, 0.015)
        ),
        wood,
    )
    canvas.polygon(stroke([(0.86, 0.165), (0.78, 0.26), (0.70, 0.30)], (0.03, 0.02, 0.01)), wood)
    for x, y in rng.normal(0, 0.012, (11, 2)) + _BLOSSOM:
        canvas.disc(x, y, 0.058, pink)
        canvas.disc(x - 0.01, y - 0.012, 0.034, pale)


_BLOSSOM = np.array([
    (0.52, 0.10), (0.60, 0.06), (0.66, 0.16), (0.76, 0.10), (0.86, 0.08), (0.94, 0.18),
    (0.72, 0.30), (0.80, 0.26), (1.04, 0.06), (0.86, 0.19), (1.00, 0.24),
])  # fmt: skip


def _sushi(canvas: Canvas, rng: np.random.Generator) -> None:
    table = canvas.ink(tinted(rng, (60, 62, 66), (150, 178, 128), (96, 66, 50)), "bark", 10)
    board, edge = canvas.ink((216, 184, 140), "bark", 12), canvas.ink((166, 132, 92), "bark", 10)
    rice, shadow = canvas.ink((248, 246, 238), "clod", 10), canvas.ink((204, 200, 190), "clod", 9)
    fish, stripe = canvas.ink((244, 124, 84), "down"), canvas.ink((252, 190, 160), "fine")
    weed, green = canvas.ink((26, 44, 36), "fine"), canvas.ink((126, 178, 70), "fine")
    canvas.fill(table)
    frame(canvas, rng, turn=25)
    canvas.polygon([(0.03, 0.27), (0.97, 0.27), (0.97, 0.80), (0.03, 0.80)], edge)
    canvas.polygon([(0.03, 0.24), (0.97, 0.24), (0.97, 0.76), (0.03, 0.76)], board)
    for y in (0.36, 0.60):
        canvas.polygon(
            curve(
                [
                    (0.10, y + 0.02),
                    (0.16, y - 0.06),
                    (0.34, y - 0.07),
                    (0.52, y - 0.05),
                    (0.56, y + 0.03),
                    (0.50, y + 0.10),
                    (0.16, y + 0.10),
                ]
            ),
            shadow,
        )
        canvas.polygon(
            curve(
                [
                    (0.11, y),
                    (0.17, y - 0.07),
                    (0.34, y - 0.08),
                    (0.50, y - 0.06),
                    (0.55, y + 0.01),
                    (0.49, y + 0.07),
                    (0.17, y + 0.07),
                ]
            ),
            rice,
        )
        canvas.polygon(
            curve(
                [
                    (0.07, y + 0.01),
                    (0.15, y - 0.10),
                    (0.34, y - 0.12),
                    (0.54, y - 0.08),
                    (0.60, y + 0.03),
                    (0.50, y),
                    (0.30, y - 0.02),
                    (0.15, y),
                ]
            ),
            fish,
        )
        for x in (0.20, 0.30, 0.40, 0.49):
            canvas.line([(x, y - 0.015), (x + 0.04, y - 0.095)], stripe, 0.012)
    for x, y in ((0.72, 0.38), (0.84, 0.56), (0.70, 0.64)):
        canvas.disc(x, y + 0.03, 0.098, weed)
        canvas.disc(x, y, 0.098, weed)
        canvas.disc(x, y, 0.078, rice)
        canvas.disc(x, y, 0.036, fish)
        canvas.disc(x + 0.025, y + 0.012, 0.018, green)


DRAWINGS: dict[str, Drawing] = {
    "flag": _flag,
    "scales": _scales,
    "mountain": _mountain,
    "sushi": _sushi,
}
