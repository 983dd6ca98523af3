"""Tileable surfaces: one stack of noise textures, computed once and read at random places."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

PERIOD = 256
WINDOW = 112
_SEED = 20_250_112

Field = NDArray[np.float64]

_Y, _X = np.mgrid[0:PERIOD, 0:PERIOD] * (2 * np.pi / PERIOD)


def _smooth(rng: np.random.Generator, sy: float, sx: float) -> Field:
    """Tileable Gaussian noise blurred by sy, sx pixels; zero mean, unit deviation."""
    noise = rng.standard_normal((PERIOD, PERIOD))
    fy = np.fft.fftfreq(PERIOD)[:, None]
    fx = np.fft.rfftfreq(PERIOD)[None, :]
    envelope = np.exp(-2 * np.pi**2 * ((fy * sy) ** 2 + (fx * sx) ** 2))
    out: Field = np.fft.irfft2(np.fft.rfft2(noise) * envelope, s=(PERIOD, PERIOD))
    out -= out.mean()
    out /= out.std()
    return out


def _cells(
    rng: np.random.Generator, n: int, aspect: float = 1.0
) -> tuple[Field, Field, NDArray[np.intp]]:
    """Tileable Voronoi cells: nearest and second distance in pixels, and the cell's number."""
    points = rng.uniform(0, PERIOD, (n, 2))
    # Four times the mean spacing: farther points are nowhere first or second.
    reach = min(int(4 * PERIOD / n**0.5), PERIOD // 2 - 1)
    near = np.arange(-reach, reach + 1)
    first = np.full((PERIOD, PERIOD), np.inf)
    second = first.copy()
    owner = np.zeros((PERIOD, PERIOD), np.intp)
    for number, (py, px) in enumerate(points):
        rows, columns = (int(py) + near) % PERIOD, (int(px) + near) % PERIOD
        dy = np.abs(rows + 0.5 - py)
        dx = np.abs(columns + 0.5 - px)
        dy, dx = np.minimum(dy, PERIOD - dy) * aspect, np.minimum(dx, PERIOD - dx)
        distance = np.hypot(dy[:, None], dx[None, :])
        place = np.ix_(rows, columns)
        best = first[place]
        nearer = distance < best
        second[place] = np.where(nearer, best, np.minimum(second[place], distance))
        owner[place] = np.where(nearer, number, owner[place])
        first[place] = np.where(nearer, distance, best)
    return first, second, owner


def _facet(rng: np.random.Generator) -> Field:
    """Angular stones: a tone and a slope for each, dark cracks between them."""
    first, second, owner = _cells(rng, 150, 1.25)
    tone = rng.normal(0, 0.75, 150)[owner]
    angle = rng.uniform(0, 2 * np.pi, 150)[owner]
    y, x = np.mgrid[0:PERIOD, 0:PERIOD]
    slope: Field = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / 64) * 0.3
    crack: Field = np.exp(-(((second - first) / 1.5) ** 2))
    light = np.exp(-(((second - first - 2.6) / 1.2) ** 2))
    return tone + slope + 0.45 * light - 2.3 * crack + 0.22 * _smooth(rng, 0.6, 0.6)


def _leaf(rng: np.random.Generator) -> Field:
    """Clumps of foliage: bright tops, dark gaps."""
    large, second, owner = _cells(rng, 420)
    small, _, _ = _cells(rng, 4_200)
    tone = rng.normal(0, 0.4, 420)[owner]
    clump = 1.1 - large / 6
    gap: Field = np.exp(-(((second - large) / 2.2) ** 2))
    return 0.7 * clump + tone - 0.75 * gap + 1.1 * (1 - small / 1.7) - 0.1


def _cloud(rng: np.random.Generator) -> Field:
    field = 0.85 * _smooth(rng, 9, 20) + 0.45 * _smooth(rng, 4, 8) + 0.2 * _smooth(rng, 1.5, 3)
    puffs: Field = np.clip(field * 0.9 - 0.15, 0, 1.35)
    return puffs + 0.03 * _smooth(rng, 0.5, 0.5)


def _dune(rng: np.random.Generator) -> Field:
    bend = 0.9 * _smooth(rng, 14, 20)
    ripple: Field = np.sin(32 * _Y + 5 * _X + 2.2 * bend)
    return 0.35 * ripple + 0.45 * _smooth(rng, 0.45, 0.45) + 0.25 * _smooth(rng, 6, 12)


def _ripple(rng: np.random.Generator) -> Field:
    bend = _smooth(rng, 5, 16)
    wave = np.sin(26 * _Y + 1.9 * bend + 1.2 * _smooth(rng, 2, 9))
    crest: Field = np.maximum(wave, -0.4) ** 3
    return 0.5 * crest + 0.42 * _smooth(rng, 1.0, 6) + 0.2 * bend


def _blade(rng: np.random.Generator) -> Field:
    tufts = 0.75 * _smooth(rng, 4.5, 0.7) + 0.5 * _smooth(rng, 2.5, 0.5)
    return tufts + 0.3 * _smooth(rng, 10, 10)


def _drift(rng: np.random.Generator) -> Field:
    soft = _smooth(rng, 6, 22)
    sparkle = (rng.random((PERIOD, PERIOD)) > 0.985) * 1.0
    hollow: Field = np.maximum(soft, -0.3)
    return -0.85 * hollow + 0.9 * sparkle + 0.12 * _smooth(rng, 1, 1)


def _clod(rng: np.random.Generator) -> Field:
    first, second, owner = _cells(rng, 1_500, 1.4)
    tone = rng.normal(0, 0.55, 1_500)[owner]
    gap: Field = np.exp(-(((second - first) / 1.1) ** 2))
    lump = 0.7 * (1 - first / 3.5) + tone - 0.5 * gap
    return lump + 0.4 * _smooth(rng, 4, 8) + 0.25 * _smooth(rng, 0.5, 0.5)


def _feather(rng: np.random.Generator) -> Field:
    scales: Field = np.sin(40 * _X + 1.2 * _smooth(rng, 6, 6)) * np.sin(34 * _Y)
    return 0.6 * scales + 0.45 * _smooth(rng, 0.7, 2.2)


def _weave(rng: np.random.Generator) -> Field:
    threads: Field = 0.5 * np.sin(64 * _X) + 0.5 * np.sin(64 * _Y)
    return threads + 0.4 * _smooth(rng, 5, 5)


_MAKERS: dict[str, Callable[[np.random.Generator], Field]] = {
    "fine": lambda rng: 0.7 * _smooth(rng, 0.6, 0.6) + 0.5 * _smooth(rng, 4, 4),
    "cloud": _cloud,
    "dune": _dune,
    "ripple": _ripple,
    "blade": _blade,
    "facet": _facet,
    "drift": _drift,
    "clod": _clod,
    "leaf": _leaf,
    "bark": lambda rng: 0.9 * _smooth(rng, 4, 0.8) + 0.4 * _smooth(rng, 0.6, 0.6),
    "feather": _feather,
    "down": lambda rng: 0.7 * _smooth(rng, 1.1, 0.8) + 0.5 * _smooth(rng, 3, 3),
    "weave": _weave,
    "metal": lambda rng: 0.8 * _smooth(rng, 12, 20) + 0.15 * _smooth(rng, 0.5, 3),
}
TEXTURES = tuple(_MAKERS)
"""The surfaces' names, in the order of the stack."""


@cache
def _stack() -> tuple[NDArray[np.float32], NDArray[np.intp], int]:
    side = PERIOD + WINDOW
    stack = np.empty((len(TEXTURES), side, side), np.float32)
    for number, make in enumerate(_MAKERS.values()):
        tile = make(np.random.default_rng((_SEED, number)))
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
