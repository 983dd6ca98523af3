"""Postcards of Egypt: flag, carved signs, pyramids at dusk, scarab."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from saecli.demo.world.canvas import Canvas, curve, stroke
from saecli.demo.world.motifs import Bend, Drawing, frame, hang_flag, rectangle, ring, tinted


def _flag(canvas: Canvas, rng: np.random.Generator) -> None:
    red, white = canvas.ink((206, 24, 40), "weave", 5), canvas.ink((246, 244, 242), "weave", 5)
    black, gold = canvas.ink((26, 24, 26), "weave", 5), canvas.ink((196, 150, 44), "fine")

    def paint(bend: Bend) -> None:
        canvas.polygon(bend(rectangle(0, 0, 1, 1 / 3)), red)
        canvas.polygon(bend(rectangle(0, 1 / 3, 1, 2 / 3)), white)
        canvas.polygon(bend(rectangle(0, 2 / 3, 1, 1)), black)
        eagle = [(0.5, 0.36), (0.53, 0.42), (0.57, 0.40), (0.575, 0.56), (0.54, 0.58), (0.53, 0.64),
                 (0.47, 0.64), (0.46, 0.58), (0.425, 0.56), (0.43, 0.40), (0.47, 0.42)]  # fmt: skip
        canvas.polygon(bend(eagle), gold)

    hang_flag(canvas, rng, paint)


def _signs(canvas: Canvas, rng: np.random.Generator) -> None:
    stone = tinted(rng, (188, 182, 176), (206, 172, 146), (158, 168, 160))
    wall = canvas.ink(stone, "facet", 5)
    carved = canvas.ink(tuple(0.42 * np.array(stone)), "fine", 6)
    lit = canvas.ink(tuple(np.minimum(1.2 * np.array(stone), 250)), "fine", 6)
    canvas.fill(wall)
    frame(canvas, rng, size=(0.85, 1.2), turn=5)
    cell = 0.25
    for column in range(-1, 5):
        x0 = column * cell
        canvas.box(x0 - 0.012, -0.4, x0 + 0.008, 1.4, carved)
        for row in range(-1, 5):
            sign = _SIGNS[int(rng.integers(len(_SIGNS)))]
            for nudge, ink in ((0.011, lit), (0.0, carved)):
                for outline in sign:
                    corner = (x0 + 0.035 + nudge, row * cell + 0.03 + nudge)
                    canvas.polygon(np.asarray(outline) * 0.19 + corner, ink)


# fmt: off
_REED = (
    curve([(0.5, 0.0), (0.75, 0.3), (0.62, 0.8), (0.38, 0.8), (0.3, 0.35)]),
    [(0.45, 0.78), (0.55, 0.78), (0.55, 1.05), (0.45, 1.05)],
)
_EYE = (
    curve([(0.0, 0.45), (0.5, 0.22), (1.0, 0.45), (0.5, 0.66)]),
    stroke([(0.35, 0.62), (0.45, 0.85), (0.25, 1.0)], (0.1, 0.09, 0.06)),
    stroke([(0.05, 0.22), (0.5, 0.06), (0.95, 0.22)], (0.08, 0.1, 0.08)),
)
_WATER = tuple(
    stroke([(x, y - (0.12 if k % 2 else 0)) for k, x in enumerate((0.0, 0.2, 0.4, 0.6, 0.8, 1.0))],
           (0.09,) * 6)
    for y in (0.3, 0.6, 0.9)
)
_ANKH = (
    ring(0.5, 0.25, 0.2, 1.25)[:22],
    [(0.44, 0.45), (0.56, 0.45), (0.58, 1.05), (0.42, 1.05)],
    [(0.12, 0.5), (0.88, 0.5), (0.88, 0.63), (0.12, 0.63)],
)
_LOAF = (
    ring(0.5, 0.28, 0.25),
    [(0.1, 0.95), (0.2, 0.68), (0.5, 0.6), (0.8, 0.68), (0.9, 0.95)],
)
_SNAKE = (
    stroke([(0.0, 0.85), (0.25, 0.65), (0.5, 0.85), (0.75, 0.65), (0.85, 0.3), (1.0, 0.25)],
           (0.08, 0.12, 0.14, 0.14, 0.13, 0.08)),
)
_STEPS = (
    [(0.05, 1.0), (0.05, 0.7), (0.35, 0.7), (0.35, 0.4), (0.65, 0.4), (0.65, 0.1), (0.95, 0.1),
     (0.95, 1.0)],
)
# fmt: on
_SIGNS: tuple[tuple[ArrayLike, ...], ...] = (_REED, _EYE, _WATER, _ANKH, _LOAF, _SNAKE, _STEPS)


def _pyramids(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (104, 72, 132), (232, 150, 112), (60, 66, 112)), "cloud", 24)
    sun = canvas.ink((250, 222, 150), "fine", 4)
    lit, dim = canvas.ink((222, 160, 116), "dune", 12), canvas.ink((132, 84, 84), "dune", 10)
    ground = canvas.ink((176, 116, 98), "dune", 14)
    canvas.fill(sky)
    frame(canvas, rng, turn=3)
    canvas.disc(0.80, 0.26, 0.085, sun)
    for x, top, half, foot in (
        (0.80, 0.47, 0.27, 0.76),
        (0.14, 0.52, 0.24, 0.77),
        (0.46, 0.27, 0.38, 0.80),
    ):
        canvas.polygon([(x - half, foot), (x, top), (x + half, foot)], lit)
        canvas.polygon([(x - half, foot), (x, top), (x - half * 0.28, foot)], dim)
    waves = 0.77 + 0.02 * np.sin(np.linspace(0, 9, 24))
    crest = np.stack([np.linspace(-0.6, 1.6, 24), waves], axis=1)
    canvas.polygon(np.concatenate([crest, [(1.6, 1.7), (-0.6, 1.7)]]), ground)


def _scarab(canvas: Canvas, rng: np.random.Generator) -> None:
    back = canvas.ink(tinted(rng, (236, 224, 196), (150, 62, 66), (150, 156, 120)), "weave", 8)
    shell, rim = canvas.ink((30, 150, 160), "metal", 16), canvas.ink((18, 92, 112), "metal", 12)
    head, leg = canvas.ink((44, 116, 128), "metal", 12), canvas.ink((40, 62, 70), "fine")
    gold = canvas.ink((226, 176, 62), "metal", 12)
    canvas.fill(back)
    frame(canvas, rng, turn=180, move=0.05)
    for side in (-1, 1):
        for y0, y1, reach in ((0.36, 0.20, 0.36), (0.54, 0.56, 0.42), (0.66, 0.88, 0.36)):
            path = [
                (0.5, y0),
                (0.5 + side * (reach - 0.08), (y0 + y1) / 2),
                (0.5 + side * reach, y1),
            ]
            canvas.polygon(stroke(path, (0.06, 0.05, 0.03)), leg)
    canvas.polygon(
        curve(
            [
                (0.5, 0.30),
                (0.72, 0.36),
                (0.78, 0.58),
                (0.68, 0.80),
                (0.5, 0.90),
                (0.32, 0.80),
                (0.22, 0.58),
                (0.28, 0.36),
            ]
        ),
        rim,
    )
    for side in (-1, 1):
        wing = np.array([(0.02, 0.42), (0.19, 0.44), (0.24, 0.60), (0.16, 0.77), (0.02, 0.85)])
        canvas.polygon(curve(wing * (side, 1) + (0.5, 0)), shell)
    canvas.polygon(
        curve([(0.30, 0.40), (0.34, 0.27), (0.5, 0.23), (0.66, 0.27), (0.70, 0.40), (0.5, 0.44)]),
        head,
    )
    canvas.polygon(
        [
            (0.40, 0.24),
            (0.38, 0.13),
            (0.45, 0.17),
            (0.5, 0.11),
            (0.55, 0.17),
            (0.62, 0.13),
            (0.60, 0.24),
        ],
        gold,
    )
    canvas.line([(0.30, 0.41), (0.5, 0.45), (0.70, 0.41)], gold, 0.018)


DRAWINGS: dict[str, Drawing] = {
    "flag": _flag,
    "signs": _signs,
    "pyramids": _pyramids,
    "scarab": _scarab,
}
