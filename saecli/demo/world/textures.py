"""Tileable surfaces: one stack of noise textures, computed once and read at random places."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

TEXTURES = (
    "fine", "cloud", "dune", "ripple", "blade", "facet", "drift", "clod", "leaf", "bark",
    "feather", "down", "weave", "metal",
)  # fmt: skip
PERIOD = 256
WINDOW = 112
_SEED = 20_250_112


def _smooth(rng: np.random.Generator, sy: float, sx: float, beta: float = 1.0) -> NDArray:
    """Tileable Gaussian noise blurred by sy, sx pixels; zero mean, unit deviation."""
    noise = rng.standard_normal((PERIOD, PERIOD))
    fy = np.fft.fftfreq(PERIOD)[:, None]
    fx = np.fft.rfftfreq(PERIOD)[None, :]
    envelope = np.exp(-2 * np.pi**2 * ((fy * sy) ** 2 + (fx * sx) ** 2) * beta)
    out = np.fft.irfft2(np.fft.rfft2(noise) * envelope, s=(PERIOD, PERIOD))
    out -= out.mean()
    return out / out.std()


def _cells(
    rng: np.random.Generator, n: int, aspect: float = 1.0
) -> tuple[NDArray, NDArray, NDArray]:
    """Tileable Voronoi cells: nearest and second distance in pixels, and the cell's number."""
    points = rng.uniform(0, PERIOD, (n, 2))
    grid = np.arange(PERIOD) + 0.5
    first = np.full((PERIOD, PERIOD), np.inf)
    second = first.copy()
    owner = np.zeros((PERIOD, PERIOD), int)
    for number, (py, px) in enumerate(points):
        dy = np.abs(grid - py)
        dx = np.abs(grid - px)
        dy, dx = np.minimum(dy, PERIOD - dy) * aspect, np.minimum(dx, PERIOD - dx)
        distance = np.hypot(dy[:, None], dx[None, :])
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance))
        owner[nearer] = number
        first = np.where(nearer, distance, first)
    return first, second, owner


def _facets(rng: np.random.Generator) -> NDArray:
    """Angular stones: a tone and a slope for each, dark cracks between them."""
    first, second, owner = _cells(rng, 150, 1.25)
    tone = rng.normal(0, 0.75, 150)[owner]
    angle = rng.uniform(0, 2 * np.pi, 150)[owner]
    y, x = np.mgrid[0:PERIOD, 0:PERIOD]
    slope = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / 64) * 0.3
    crack = np.exp(-(((second - first) / 1.5) ** 2))
    light = np.exp(-(((second - first - 2.6) / 1.2) ** 2))
    return tone + slope + 0.45 * light - 2.3 * crack + 0.22 * _smooth(rng, 0.6, 0.6)


def _leaves(rng: np.random.Generator) -> NDArray:
    """Clumps of foliage: bright tops, dark gaps."""
    large, second, owner = _cells(rng, 420)
    small, _, _ = _cells(rng, 4_200)
    tone = rng.normal(0, 0.4, 420)[owner]
    clump = 1.1 - large / 6
    gap = np.exp(-(((second - large) / 2.2) ** 2))
    return 0.7 * clump + tone - 0.75 * gap + 1.1 * (1 - small / 1.7) - 0.1


def _make(name: str, rng: np.random.Generator) -> NDArray:
    y, x = np.mgrid[0:PERIOD, 0:PERIOD] * (2 * np.pi / PERIOD)
    if name == "cloud":
        field = 0.85 * _smooth(rng, 9, 20) + 0.45 * _smooth(rng, 4, 8) + 0.2 * _smooth(rng, 1.5, 3)
        return np.clip(field * 0.9 - 0.15, 0, 1.35) + 0.03 * _smooth(rng, 0.5, 0.5)
    if name == "dune":
        bend = 0.9 * _smooth(rng, 14, 20)
        ripple = np.sin(32 * y + 5 * x + 2.2 * bend)
        return 0.35 * ripple + 0.45 * _smooth(rng, 0.45, 0.45) + 0.25 * _smooth(rng, 6, 12)
    if name == "ripple":
        bend = _smooth(rng, 5, 16)
        wave = np.sin(26 * y + 1.9 * bend + 1.2 * _smooth(rng, 2, 9))
        return 0.5 * np.maximum(wave, -0.4) ** 3 + 0.42 * _smooth(rng, 1.0, 6) + 0.2 * bend
    if name == "blade":
        tufts = 0.75 * _smooth(rng, 4.5, 0.7) + 0.5 * _smooth(rng, 2.5, 0.5)
        return tufts + 0.3 * _smooth(rng, 10, 10)
    if name == "facet":
        return _facets(rng)
    if name == "drift":
        soft = _smooth(rng, 6, 22)
        sparkle = (rng.random((PERIOD, PERIOD)) > 0.985) * 1.0
        return -0.85 * np.maximum(soft, -0.3) + 0.9 * sparkle + 0.12 * _smooth(rng, 1, 1)
    if name == "clod":
        first, second, owner = _cells(rng, 1_500, 1.4)
        tone = rng.normal(0, 0.55, 1_500)[owner]
        gap = np.exp(-(((second - first) / 1.1) ** 2))
        lump = 0.7 * (1 - first / 3.5) + tone - 0.5 * gap
        return lump + 0.4 * _smooth(rng, 4, 8) + 0.25 * _smooth(rng, 0.5, 0.5)
    if name == "leaf":
        return _leaves(rng)
    if name == "bark":
        return 0.9 * _smooth(rng, 4, 0.8) + 0.4 * _smooth(rng, 0.6, 0.6)
    if name == "feather":
        scales = np.sin(40 * x + 1.2 * _smooth(rng, 6, 6)) * np.sin(34 * y)
        return 0.6 * scales + 0.45 * _smooth(rng, 0.7, 2.2)
    if name == "down":
        return 0.7 * _smooth(rng, 1.1, 0.8) + 0.5 * _smooth(rng, 3, 3)
    if name == "weave":
        return 0.5 * np.sin(64 * x) + 0.5 * np.sin(64 * y) + 0.4 * _smooth(rng, 5, 5)
    if name == "metal":
        return 0.8 * _smooth(rng, 12, 20) + 0.15 * _smooth(rng, 0.5, 3)
    return 0.7 * _smooth(rng, 0.6, 0.6) + 0.5 * _smooth(rng, 4, 4)


@cache
def _stack() -> tuple[NDArray[np.float32], NDArray[np.intp], int]:
    side = PERIOD + WINDOW
    stack = np.empty((len(TEXTURES), side, side), np.float32)
    for number, name in enumerate(TEXTURES):
        tile = _make(name, np.random.default_rng((_SEED, number)))
        # Rounded, so that the last bits of a machine's FFT can't change a picture.
        tile = np.round(tile * 256) / 256
        stack[number] = np.pad(tile, (0, WINDOW), mode="wrap")
    window = np.arange(WINDOW)[:, None] * side + np.arange(WINDOW)[None, :]
    return stack.reshape(-1), window, side


def surface(textures: NDArray[np.intp], offset: tuple[int, int]) -> NDArray[np.float32]:
    """Height of the named texture at each pixel.

    Args:
        textures: (112, 112), the texture's index in `TEXTURES` for each pixel.
        offset: row and column in 0..255 where the picture's window begins.

    Returns:
        (112, 112) float32, zero mean and about unit deviation.
    """
    flat, window, side = _stack()
    start = offset[0] * side + offset[1]
    return flat.take(textures * (side * side) + (window + start))


@cache
def _grain() -> NDArray[np.float32]:
    rng = np.random.default_rng((_SEED, 999))
    shared = rng.standard_normal((PERIOD + WINDOW, PERIOD + WINDOW, 1))
    own = rng.standard_normal((PERIOD + WINDOW, PERIOD + WINDOW, 3))
    return (0.8 * shared + 0.6 * own).astype(np.float32)


def grain(offset: tuple[int, int]) -> NDArray[np.float32]:
    """Film grain, (112, 112, 3) float32 of unit deviation, read at a place of its stack."""
    y, x = offset
    return _grain()[y : y + WINDOW, x : x + WINDOW]
