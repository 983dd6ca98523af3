"""Postcards of France: flag, parquet, iron tower, croissant."""

from __future__ import annotations

import numpy as np

from saecli.demo.world.canvas import Canvas, stroke
from saecli.demo.world.motifs import Bend, Drawing, frame, hang_flag, rectangle, tinted


def _flag(canvas: Canvas, rng: np.random.Generator) -> None:
    blue, white = canvas.ink((14, 50, 148), "weave", 5), canvas.ink((246, 246, 246), "weave", 5)
    red = canvas.ink((230, 36, 52), "weave", 5)

    def paint(bend: Bend) -> None:
        for k, ink in enumerate((blue, white, red)):
            canvas.polygon(bend(rectangle(k / 3, 0, (k + 1) / 3, 1, 6)), ink)

    hang_flag(canvas, rng, paint)


def _parquet(canvas: Canvas, rng: np.random.Generator) -> None:
    tone = np.array(tinted(rng, (168, 112, 66), (196, 152, 104), (120, 78, 54)))
    inks = [canvas.ink(tuple(tone * k), "bark", 13) for k in (0.82, 0.94, 1.06, 1.16)]
    gap = canvas.ink(tuple(tone * 0.4), "fine", 4)
    canvas.fill(gap)
    frame(canvas, rng, size=(0.85, 1.3), turn=45)
    wide, high = 0.24, 0.105
    picks = rng.integers(0, 4, (12, 26))
    for column in range(-3, 9):
        lean = 0.17 if column % 2 else -0.17
        x0, x1 = column * wide + 0.006, (column + 1) * wide - 0.006
        for row in range(-8, 18):
            y = row * high
            y0, y1 = (y, y + lean) if lean > 0 else (y - lean, y)
            ink = inks[int(picks[column + 3, row + 8])]
            canvas.polygon(
                [(x0, y0), (x1, y1), (x1, y1 + high - 0.012), (x0, y0 + high - 0.012)], ink
            )


def _tower(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (184, 206, 226), (240, 200, 190), (70, 84, 128)), "cloud", 26)
    iron, inner = canvas.ink((88, 76, 74), "metal"), canvas.ink((124, 108, 102), "metal", 8)
    lawn, path = canvas.ink((128, 156, 96), "blade", 14), canvas.ink((212, 202, 184), "fine", 8)
    canvas.fill(sky)
    frame(canvas, rng, turn=3)
    canvas.box(-0.6, 0.86, 1.6, 1.7, lawn)
    canvas.polygon([(0.46, 0.86), (0.54, 0.86), (0.66, 1.7), (0.34, 1.7)], path)
    left = np.array([(0.485, 0.10), (0.478, 0.30), (0.455, 0.48), (0.40, 0.66), (0.26, 0.90),
                     (0.36, 0.90), (0.43, 0.76), (0.5, 0.72), (0.5, 0.10)])  # fmt: skip
    canvas.polygon([(0.478, 0.30), (0.522, 0.30), (0.56, 0.60), (0.44, 0.60)], inner)
    for side in (1, -1):
        canvas.polygon((left - (0.5, 0)) * (side, 1) + (0.5, 0), iron)
    for y0, y1 in ((0.34, 0.42), (0.45, 0.52), (0.55, 0.63)):
        half = 0.008 + 0.045 * (y0 - 0.2)
        canvas.polygon(
            [(0.5, y0), (0.5 + half, (y0 + y1) / 2), (0.5, y1), (0.5 - half, (y0 + y1) / 2)], inner
        )
    canvas.box(0.42, 0.47, 0.58, 0.495, iron)
    canvas.box(0.36, 0.65, 0.64, 0.685, iron)
    canvas.line([(0.5, 0.12), (0.5, 0.03)], iron, 0.014)


def _croissant(canvas: Canvas, rng: np.random.Generator) -> None:
    cloth = canvas.ink(tinted(rng, (186, 214, 204), (226, 196, 214), (94, 112, 136)), "weave", 9)
    plate, rim = canvas.ink((240, 240, 244), "metal", 5), canvas.ink((204, 208, 218), "metal", 5)
    crusts = [canvas.ink(c, "feather", 14) for c in ((194, 112, 40), (234, 172, 90), (160, 88, 34))]
    canvas.fill(cloth)
    frame(canvas, rng, turn=180, move=0.05)
    canvas.disc(0.5, 0.5, 0.45, rim)
    canvas.disc(0.5, 0.5, 0.43, plate)
    canvas.disc(0.5, 0.5, 0.31, rim)
    canvas.disc(0.5, 0.5, 0.30, plate)
    angles = np.deg2rad(np.linspace(200, 340, 8))
    for k in (0, 6, 1, 5, 2, 4, 3):
        near, far = angles[k], angles[k + 1]
        thick = (0.09, 0.15, 0.20, 0.235, 0.20, 0.15, 0.09)[k]
        arc = np.linspace(near - 0.09, far + 0.09, 6)
        path = np.stack([0.5 + 0.27 * np.cos(arc), 0.70 + 0.30 * np.sin(arc)], 1)
        canvas.polygon(
            stroke(path, thick * np.array([0.78, 0.98, 1.06, 1.06, 0.98, 0.78])), crusts[k % 2]
        )
        ridge = np.stack(
            [
                0.5 + (0.27 + thick * 0.28) * np.cos(arc[1:3]),
                0.70 + (0.30 + thick * 0.28) * np.sin(arc[1:3]),
            ],
            1,
        )
        canvas.line(ridge, crusts[2], 0.014)


DRAWINGS: dict[str, Drawing] = {
    "flag": _flag,
    "parquet": _parquet,
    "tower": _tower,
    "croissant": _croissant,
}
