"""Postcards of an accident: crashed cars, a sinking ship, a train off its rails, a broken vase."""

from __future__ import annotations

import numpy as np

from saecli.demo.world.canvas import Canvas, Points, curve
from saecli.demo.world.labels import Rgb
from saecli.demo.world.motifs import Drawing, frame, ring, tinted

_PAINTS: tuple[Rgb, ...] = (
    (34, 84, 176), (206, 60, 48), (244, 196, 52), (226, 226, 228), (70, 140, 90), (90, 60, 110),
)  # fmt: skip


def _turned(points: object, angle: float, x: float, y: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Points = np.asarray(points, float) @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    return turned


def _cars(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (190, 206, 218), (232, 214, 196), (120, 134, 160)), "cloud", 24)
    road, mark = canvas.ink((104, 102, 106), "clod", 9), canvas.ink((226, 222, 206), "fine")
    glass, tyre = canvas.ink((196, 222, 232), "metal"), canvas.ink((34, 34, 38), "fine")
    hub, lamp = canvas.ink((180, 182, 186), "metal"), canvas.ink((252, 240, 190), "fine")
    burst, core = canvas.ink((250, 176, 40), "fine"), canvas.ink((254, 238, 150), "fine")
    canvas.fill(sky)
    frame(canvas, rng, turn=4)
    canvas.box(-0.6, 0.60, 1.6, 1.7, road)
    for x in np.arange(-0.5, 1.6, 0.3):
        canvas.polygon([(x, 0.86), (x + 0.16, 0.86), (x + 0.15, 0.89), (x - 0.01, 0.89)], mark)
    picks = rng.permutation(len(_PAINTS))[:2]
    for side, angle, pick in ((1, -0.16, picks[0]), (-1, 0.20, picks[1])):
        paint = canvas.ink(_PAINTS[pick], "metal", 12)
        base = (0.5 - side * 0.25, 0.64)

        def put(
            points: object, side: int = side, angle: float = angle, base: tuple[float, float] = base
        ) -> Points:
            return _turned(np.asarray(points, float) * (side, 1), angle, *base)

        canvas.polygon(
            put(
                [
                    (-0.27, 0.02),
                    (-0.26, -0.10),
                    (-0.18, -0.12),
                    (-0.10, -0.24),
                    (0.08, -0.24),
                    (0.16, -0.12),
                    (0.22, -0.10),
                    (0.19, -0.05),
                    (0.24, -0.02),
                    (0.20, 0.06),
                    (-0.26, 0.06),
                ]
            ),
            paint,
        )
        canvas.polygon(
            put([(-0.135, -0.12), (-0.085, -0.205), (-0.02, -0.205), (-0.02, -0.12)]), glass
        )
        canvas.polygon(put([(0.01, -0.12), (0.01, -0.205), (0.06, -0.205), (0.115, -0.12)]), glass)
        canvas.polygon(put(ring(-0.25, -0.05, 0.022)), lamp)
        for wheel in (-0.16, 0.12):
            canvas.polygon(put(ring(wheel, 0.07, 0.072)), tyre)
            canvas.polygon(put(ring(wheel, 0.07, 0.034)), hub)
    angles = np.arange(20) * np.pi / 10
    reach = np.where(np.arange(20) % 2, 0.065, 0.17) * (1 + 0.1 * rng.normal(0, 1, 20))
    for size, ink in ((1.0, burst), (0.5, core)):
        canvas.polygon(
            np.stack(
                [0.5 + size * reach * np.cos(angles), 0.52 + size * reach * np.sin(angles)], 1
            ),
            ink,
        )


def _ship(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (58, 66, 92), (206, 214, 210), (190, 170, 180)), "cloud", 22)
    sea, foam = canvas.ink((44, 92, 92), "ripple", 24), canvas.ink((222, 234, 232), "down", 10)
    hull = canvas.ink(tinted(rng, (44, 44, 54), (128, 44, 44), (230, 226, 216)), "metal", 10)
    keel, deck = canvas.ink((150, 70, 58), "metal"), canvas.ink((236, 232, 222), "metal", 8)
    pipe, hole = canvas.ink((230, 150, 54), "metal"), canvas.ink((60, 66, 80), "fine")
    canvas.fill(sky)
    frame(canvas, rng, turn=5)
    angle = -rng.uniform(0.45, 0.75)

    def put(points: object) -> Points:
        return _turned(points, angle, 0.52, 0.60)

    canvas.polygon(put([(-0.22, -0.10), (-0.22, -0.24), (0.20, -0.24), (0.20, -0.10)]), deck)
    canvas.polygon(put([(-0.12, -0.24), (-0.12, -0.34), (0.14, -0.34), (0.14, -0.24)]), deck)
    for x in (-0.08, 0.05):
        canvas.polygon(put([(x, -0.34), (x, -0.48), (x + 0.07, -0.48), (x + 0.07, -0.34)]), pipe)
    canvas.polygon(put([(-0.50, -0.10), (0.55, -0.12), (0.44, 0.10), (-0.46, 0.10)]), hull)
    canvas.polygon(put([(-0.46, 0.10), (0.44, 0.10), (0.40, 0.16), (-0.44, 0.16)]), keel)
    for x in (-0.3, -0.17, -0.04, 0.09, 0.22, 0.35):
        canvas.polygon(put(ring(x, -0.02, 0.027)), hole)
    for x in (-0.16, -0.05, 0.06, 0.15):
        canvas.polygon(
            put([(x - 0.025, -0.20), (x + 0.025, -0.20), (x + 0.025, -0.15), (x - 0.025, -0.15)]),
            hole,
        )
    xs = np.linspace(-0.6, 1.6, 40)
    wave = 0.68 + 0.018 * np.sin(16 * xs) + 0.01 * np.sin(37 * xs)
    canvas.polygon(np.concatenate([np.stack([xs, wave], 1), [(1.6, 1.7), (-0.6, 1.7)]]), sea)
    for cx, size in zip(
        (0.12, 0.20, 0.30, 0.40, 0.52, 0.64, 0.74), rng.uniform(0.03, 0.06, 7), strict=True
    ):
        canvas.disc(cx, 0.69, size, foam, 0.7)


def _train(canvas: Canvas, rng: np.random.Generator) -> None:
    sky = canvas.ink(tinted(rng, (222, 226, 214), (250, 210, 160), (150, 176, 206)), "cloud", 22)
    hill = canvas.ink(tinted(rng, (150, 172, 110), (198, 178, 120), (120, 140, 130)), "blade", 14)
    stones, rail = canvas.ink((142, 128, 118), "clod", 16), canvas.ink((70, 64, 66), "metal")
    body = canvas.ink(tinted(rng, (186, 40, 50), (44, 116, 108), (66, 72, 140)), "metal", 10)
    stripe, pane = canvas.ink((240, 232, 206), "metal", 6), canvas.ink((70, 90, 110), "metal", 8)
    wheel, dust = canvas.ink((48, 44, 46), "fine"), canvas.ink((212, 202, 188), "down", 12)
    canvas.fill(sky)
    frame(canvas, rng, turn=3)
    canvas.polygon(
        curve(
            [
                (-0.6, 0.62),
                (0.1, 0.46),
                (0.5, 0.52),
                (1.0, 0.42),
                (1.6, 0.6),
                (1.6, 1.7),
                (-0.6, 1.7),
            ]
        ),
        hill,
    )
    canvas.polygon([(-0.6, 0.72), (1.6, 0.72), (1.6, 0.88), (-0.6, 0.88)], stones)
    for x in np.arange(-0.55, 1.6, 0.11):
        canvas.box(x, 0.735, x + 0.045, 0.80, rail)
    canvas.box(-0.6, 0.745, 1.6, 0.765, rail)
    for cx, cy, angle, cab in (
        (0.20, 0.60, 0.10, False),
        (0.58, 0.56, -0.30, False),
        (0.84, 0.74, 0.62, True),
    ):

        def put(points: object, angle: float = angle, cx: float = cx, cy: float = cy) -> Points:
            return _turned(points, angle, cx, cy)

        nose = 0.24 if cab else 0.19
        canvas.polygon(
            put([(-0.19, 0.09), (-0.19, -0.13), (0.17, -0.13), (nose, 0.02), (nose, 0.09)]), body
        )
        canvas.polygon(put([(-0.19, 0.02), (nose, 0.02), (nose, 0.05), (-0.19, 0.05)]), stripe)
        for x in (-0.15, -0.05, 0.05):
            canvas.polygon(
                put([(x, -0.095), (x + 0.07, -0.095), (x + 0.07, -0.015), (x, -0.015)]), pane
            )
        for x in (-0.12, 0.12):
            canvas.polygon(put(ring(x, 0.10, 0.042)), wheel)
    for x, y, size in zip(
        (0.72, 0.84, 0.96, 0.90, 1.04),
        (0.90, 0.94, 0.90, 0.99, 0.97),
        rng.uniform(0.05, 0.085, 5),
        strict=True,
    ):
        canvas.disc(x, y, size, dust)


def _vase(canvas: Canvas, rng: np.random.Generator) -> None:
    wall = canvas.ink(tinted(rng, (236, 224, 230), (190, 206, 180), (230, 198, 150)), "fine", 6)
    floor = canvas.ink(tinted(rng, (122, 92, 76), (90, 96, 110), (176, 150, 160)), "bark", 12)
    glaze = canvas.ink(tinted(rng, (110, 70, 160), (40, 120, 80), (214, 106, 74)), "metal", 12)
    inside, trim = canvas.ink((84, 60, 66), "fine"), canvas.ink((248, 236, 214), "fine")
    pool = canvas.ink((160, 196, 210), "metal", 10)
    stem, petal = (
        canvas.ink((66, 128, 60), "fine"),
        canvas.ink(tinted(rng, (240, 90, 130), (250, 200, 60), (250, 250, 250)), "fine"),
    )
    canvas.fill(wall)
    frame(canvas, rng, turn=5)
    canvas.box(-0.6, 0.44, 1.6, 1.7, floor)
    canvas.polygon(
        curve(
            [
                (0.08, 0.80),
                (0.30, 0.70),
                (0.60, 0.72),
                (0.92, 0.76),
                (0.80, 0.88),
                (0.46, 0.92),
                (0.2, 0.88),
            ]
        ),
        pool,
    )
    canvas.polygon(
        curve(
            [
                (0.20, 0.50),
                (0.22, 0.36),
                (0.33, 0.30),
                (0.46, 0.36),
                (0.5, 0.52),
                (0.46, 0.68),
                (0.34, 0.76),
                (0.22, 0.68),
            ]
        ),
        glaze,
    )
    canvas.polygon(
        [
            (0.40, 0.30),
            (0.46, 0.42),
            (0.42, 0.48),
            (0.50, 0.56),
            (0.44, 0.62),
            (0.48, 0.72),
            (0.60, 0.60),
            (0.58, 0.40),
        ],
        inside,
    )
    canvas.polygon([(0.23, 0.47), (0.44, 0.45), (0.43, 0.50), (0.225, 0.52)], trim)
    canvas.polygon([(0.225, 0.56), (0.46, 0.57), (0.44, 0.61), (0.225, 0.61)], trim)
    shards = (
        ([(-0.10, -0.08), (0.06, -0.10), (0.11, 0.02), (0.0, 0.09)], 0.72, 0.55),
        ([(-0.07, -0.05), (0.08, -0.02), (0.0, 0.08)], 0.86, 0.70),
        ([(-0.06, -0.06), (0.07, 0.0), (-0.02, 0.07)], 0.64, 0.84),
        ([(-0.05, -0.03), (0.05, -0.05), (0.02, 0.06)], 0.14, 0.86),
        ([(-0.04, -0.04), (0.05, -0.02), (0.0, 0.05)], 0.90, 0.50),
    )  # fmt: skip
    for (outline, x, y), angle in zip(shards, rng.uniform(-1, 1, len(shards)), strict=True):
        canvas.polygon(_turned(outline, angle, x, y), glaze)
        canvas.polygon(_turned(np.array(outline) * 0.45, angle, x, y), trim)
    for (x, y), (dx, dy) in (((0.50, 0.66), (0.20, 0.05)), ((0.50, 0.60), (0.27, 0.13))):
        canvas.line([(x, y), (x + dx, y + dy)], stem, 0.02)
        for angle in np.arange(5) * 2 * np.pi / 5:
            canvas.disc(
                x + dx + 0.04 * float(np.cos(angle)),
                y + dy + 0.04 * float(np.sin(angle)),
                0.03,
                petal,
            )
        canvas.disc(x + dx, y + dy, 0.022, trim)


DRAWINGS: dict[str, Drawing] = {"cars": _cars, "ship": _ship, "train": _train, "vase": _vase}
