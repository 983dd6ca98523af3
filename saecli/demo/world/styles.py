"""From a map of inks to pixels: photograph, pencil sketch, cartoon."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from saecli.demo.world.birds import Pose
from saecli.demo.world.canvas import IMAGE_SIZE, OVERSAMPLING, SIDE, Canvas
from saecli.demo.world.labels import INK_INDEX, INKS, MAX_INKS
from saecli.demo.world.textures import PERIOD, grain, surface

STYLES = ("photo", "sketch", "cartoon")

_GRID = ((np.arange(IMAGE_SIZE) + 0.5) / IMAGE_SIZE).astype(np.float32)
_Y, _X = np.meshgrid(_GRID, _GRID, indexing="ij")
_VIGNETTE = (1.05 - 0.10 * ((_X - 0.5) ** 2 + (_Y - 0.5) ** 2) * 2).astype(np.float32)


def _inks(*names: str) -> NDArray[np.bool_]:
    return np.isin(np.arange(MAX_INKS), [INK_INDEX[name] for name in names])


_HEAD_INKS = _inks("crown", "face")
_WING_INKS = _inks("wing", "quill", "bars")
_BODY_INKS = _WING_INKS | _inks("breast", "band", "back", "tail")
_LYING_INKS = _inks("sand", "water", "grass", "rock", "snow", "earth")
_SKY_INK = INK_INDEX["sky"]

# Feathers have had theirs (`birds.dress`), one for all the inks of an attribute.
_COLOUR_JITTER = np.full((MAX_INKS, 1), 7.0)
_COLOUR_JITTER[: len(INKS)] = 9.0
_COLOUR_JITTER[_HEAD_INKS | _BODY_INKS] = 0.0

_Pixels = NDArray[np.float32]


def _finish(pixels: _Pixels) -> NDArray[np.uint8]:
    np.clip(pixels, 0, 255, out=pixels)
    return pixels.astype(np.uint8)


def photograph(
    canvas: Canvas, rng: np.random.Generator, *, horizon: float = 0.5, pose: Pose | None = None
) -> NDArray[np.uint8]:
    """Colours with texture, light and grain.

    Args:
        canvas: the drawing.
        rng: the picture's generator; always the same number of draws.
        horizon: where the sky is palest, 0 (top) to 1.
        pose: of the bird that is shaded and casts a shadow, if there is one.

    Returns:
        (112, 112, 3) uint8 sRGB.
    """
    offsets = rng.integers(0, PERIOD, 4)
    shift = rng.normal(0, 1, (MAX_INKS, 3))
    light = rng.normal(0, 1, 6)

    palette = canvas.colour + (0.6 * shift + 0.6 * shift[:, :1]) * _COLOUR_JITTER
    inks = canvas.inks()
    pixels = canvas.colours(palette)
    height = surface(canvas.texture[inks], (int(offsets[0]), int(offsets[1])))
    pixels += height[..., None] * canvas.relief[inks].astype(np.float32)

    glow = np.clip(1 - np.abs(_GRID - horizon) / max(horizon, 0.3), 0, 1)[:, None]
    pixels += ((inks == _SKY_INK) * glow)[..., None] * np.array([44, 30, 10], np.float32)

    gain = np.float32(1 + 0.07 * np.clip(light[0], -2, 2)) * _VIGNETTE
    slope_x, slope_y = np.float32(0.05 * light[1]), np.float32(0.05 * light[2])
    gain = gain + slope_x * (_X - 0.5) + slope_y * (_Y - 0.5)
    if pose is not None:
        gain = gain * _bird_light(inks, pose)
    warmth = np.float32(0.022 * light[3])
    tint = np.array([1 + warmth, 1 + 0.008 * light[4], 1 - warmth], np.float32)
    pixels *= gain[..., None] * tint
    pixels += np.float32(1.8 + 0.9 * abs(light[5])) * grain((int(offsets[2]), int(offsets[3])))
    return _finish(pixels)


def _bird_light(inks: NDArray[np.uint8], pose: Pose) -> _Pixels:
    """Round shading on the bird, and its soft shadow on the ground: factors, (112, 112)."""
    (a, b, c), (d, e, f) = pose.to_body.astype(np.float32)
    x = a * _X + b * _Y + c
    y = d * _X + e * _Y + f
    lower = np.clip((y + 0.05) / 0.42, 0, 1)
    body = 1.05 - 0.26 * lower * lower
    fold = np.clip(1 - np.abs(y - 0.02) / 0.30, 0, 1)
    wing = 0.90 + 0.14 * fold
    dx, dy = x - np.float32(pose.head[0]), y - np.float32(pose.head[1])
    lit = (dx - 0.06) ** 2 + (dy + 0.09) ** 2
    head = 1.08 - 2.6 * lit
    factor = np.where(_BODY_INKS[inks], body, np.float32(1))
    factor = np.where(_WING_INKS[inks], wing, factor)
    factor = np.where(_HEAD_INKS[inks], np.maximum(head, 0.72), factor)
    if not pose.on_branch:
        sx = (_X - np.float32(pose.feet[0])) / np.float32(0.62 * pose.scale)
        sy = (_Y - np.float32(pose.feet[1] + 0.01)) / np.float32(0.13 * pose.scale)
        shadow = 1 - 0.48 * np.exp(-((sx * sx + sy * sy) ** 2) * np.float32(0.9))
        factor = np.where(_LYING_INKS[inks], factor * shadow, factor)
    return factor.astype(np.float32)


def _edges(canvas: Canvas, passes: int) -> _Pixels:
    """Share of each pixel that an outline covers, (112, 112) float32, 0-1."""
    inks = np.asarray(canvas.image)
    line = np.zeros((SIDE, SIDE), bool)
    line[1:] |= inks[1:] != inks[:-1]
    line[:, 1:] |= inks[:, 1:] != inks[:, :-1]
    for _ in range(passes):
        wide = line.copy()
        wide[1:] |= line[:-1]
        wide[:-1] |= line[1:]
        wide[:, 1:] |= line[:, :-1]
        wide[:, :-1] |= line[:, 1:]
        line = wide
    cells = line.reshape(IMAGE_SIZE, OVERSAMPLING, IMAGE_SIZE, OVERSAMPLING)
    covered: _Pixels = cells.sum(axis=(1, 3), dtype=np.float32) / OVERSAMPLING**2
    return covered


@cache
def _hatching() -> NDArray[np.float32]:
    """Pencil strokes of four densities, none to crossed, (4, 368, 368) float32, 0-1."""
    rng = np.random.default_rng((20_250_112, 77))
    side = PERIOD + IMAGE_SIZE
    y, x = np.mgrid[0:side, 0:side]
    jitter = rng.normal(0, 0.25, (side, side))

    def strokes(u: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
        return np.clip(1.25 * np.cos(2 * np.pi * (u + jitter) / gap) - 0.25, 0, 1)

    slant, cross = 0.8 * x + y, x - 0.85 * y
    stack = np.zeros((4, side, side), np.float32)
    stack[1] = 0.45 * strokes(slant, 5.5)
    stack[2] = 0.75 * strokes(slant, 4)
    stack[3] = np.maximum(0.85 * strokes(slant, 3.6), 0.8 * strokes(cross, 4))
    return stack


def sketch(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pencil outlines and hatching on toned paper; no colour: (112, 112, 3) uint8."""
    offsets = rng.integers(0, PERIOD, 4)
    tone = rng.normal(0, 1, 4)
    inks = canvas.inks()
    luminance = canvas.colour @ (0.30, 0.59, 0.11)
    level = 3 - np.digitize(luminance, (52, 112, 178))
    oy, ox = int(offsets[0]), int(offsets[1])
    window = _hatching()[:, oy : oy + IMAGE_SIZE, ox : ox + IMAGE_SIZE]
    rows, columns = np.ogrid[:IMAGE_SIZE, :IMAGE_SIZE]
    hatch = window[level[inks], rows, columns]
    pencil = np.maximum(_edges(canvas, 1), 0.85 * hatch)
    paper = np.array([238, 234, 222], np.float32) + np.float32(6) * tone[:3].astype(np.float32)
    lead = np.array([44, 44, 50], np.float32)
    strength = np.float32(0.86 + 0.06 * np.clip(tone[3], -2, 2))
    pixels = paper + (lead - paper) * (pencil * strength)[..., None]
    pixels += np.float32(4) * grain((int(offsets[2]), int(offsets[3])))
    return _finish(pixels)


def cartoon(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Flat saturated colours with thick outlines: (112, 112, 3) uint8."""
    shift = rng.normal(0, 1, (MAX_INKS, 3))
    light = rng.normal(0, 1, 1)
    grey = canvas.colour.mean(axis=1, keepdims=True)
    palette = grey + 1.35 * (canvas.colour - grey) + 8 + 5 * shift
    pixels = canvas.colours(palette)
    outline = _edges(canvas, 2)[..., None]
    pixels = pixels * np.float32(1 + 0.03 * light[0]) * (1 - outline) + 16 * outline
    return _finish(pixels)
