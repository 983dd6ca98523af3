"""A drawing as a map of inks, three times larger than the picture, and smooth shapes for it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from saecli.demo.world.labels import CLASSES, INK_INDEX, INKS, MAX_INKS, Rgb
from saecli.demo.world.textures import TEXTURES

IMAGE_SIZE = 112
OVERSAMPLING = 3
SIDE = IMAGE_SIZE * OVERSAMPLING

Points = NDArray[np.float64]


def _defaults() -> tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.intp], NDArray[np.uint8]
]:
    colour = np.zeros((MAX_INKS, 3))
    relief = np.zeros((MAX_INKS, 3))
    texture = np.zeros(MAX_INKS, np.intp)
    mask = np.zeros(MAX_INKS, np.uint8)
    for index, ink in enumerate(INKS.values()):
        colour[index], relief[index] = ink.colour, ink.relief
        texture[index], mask[index] = TEXTURES.index(ink.texture), CLASSES.index(ink.mask)
    return colour, relief, texture, mask


_COLOUR, _RELIEF, _TEXTURE, _MASK = _defaults()


class Canvas:
    """A label map of 336 x 336 inks with a palette; coordinates run from 0 to 1.

    Attributes:
        colour: (64, 3) float, sRGB of each ink.
        relief: (64, 3) float, what one unit of texture adds.
        texture: (64,), index of each ink's texture.
        classes: (64,) uint8, the mask class that each ink's pixels get.
        shift: affine map that shapes go through, (2, 3); the identity at first.
    """

    def __init__(self) -> None:
        self.image = Image.new("P", (SIDE, SIDE))
        self._draw = ImageDraw.Draw(self.image)
        self.colour = _COLOUR.copy()
        self.relief = _RELIEF.copy()
        self.texture = _TEXTURE.copy()
        self.classes = _MASK.copy()
        self.shift: NDArray[np.float64] = np.array([[1.0, 0, 0], [0, 1.0, 0]])
        self._n_inks = len(INKS)

    def ink(self, colour: Rgb | ArrayLike, texture: str = "fine", relief: float = 8.0) -> int:
        """Mix an unlabelled ink for this drawing alone."""
        index = self._n_inks
        self._n_inks += 1
        self.colour[index] = colour
        self.relief[index] = relief
        self.texture[index] = TEXTURES.index(texture)
        return index

    def _place(self, points: ArrayLike) -> list[float]:
        xy = np.asarray(points, float)
        placed = (xy @ self.shift[:, :2].T + self.shift[:, 2]) * SIDE
        return placed.ravel().tolist()

    def fill(self, ink: int) -> None:
        """Cover the whole drawing."""
        self.image.paste(ink, (0, 0, SIDE, SIDE))

    def polygon(self, points: ArrayLike, ink: int | str) -> None:
        """Fill a closed outline of (n, 2) points."""
        self._draw.polygon(self._place(points), fill=_number(ink))

    def line(self, points: ArrayLike, ink: int | str, width: float) -> None:
        """Draw an open line, width in the drawing's units (after the shift)."""
        pixels = max(1, round(width * SIDE))
        self._draw.line(self._place(points), fill=_number(ink), width=pixels, joint="curve")

    def disc(self, x: float, y: float, radius: float, ink: int | str, squash: float = 1.0) -> None:
        """Fill a circle, or an ellipse whose height is squash times its width."""
        self.polygon(np.array([x, y]) + _CIRCLE * (radius, radius * squash), ink)

    def box(self, x0: float, y0: float, x1: float, y1: float, ink: int | str) -> None:
        """Fill a rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], ink)

    def inks(self) -> NDArray[np.uint8]:
        """(112, 112) uint8, the ink at each pixel's centre."""
        return np.asarray(self.image)[1::OVERSAMPLING, 1::OVERSAMPLING]

    def mask(self, inks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(112, 112) uint8, the mask class at each pixel's centre."""
        return self.classes[inks]

    def colours(self, palette: NDArray[np.float64]) -> NDArray[np.float32]:
        """Antialiased colours under a palette of (64, 3): (112, 112, 3) float32, 0-255."""
        self.image.putpalette(np.clip(palette, 0, 255).astype(np.uint8).tobytes())
        small = self.image.convert("RGB").reduce(OVERSAMPLING)
        return np.asarray(small).astype(np.float32)


def _number(ink: int | str) -> int:
    return INK_INDEX[ink] if isinstance(ink, str) else ink


_ANGLES = np.linspace(0, 2 * np.pi, 32, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


@lru_cache(maxsize=256)
def _closed_basis(n: int, steps: int) -> Points:
    """Matrix that turns n control points into a closed Catmull-Rom curve."""
    t = np.arange(steps) / steps
    weights = np.stack(
        [-(t**3) / 2 + t**2 - t / 2, 1.5 * t**3 - 2.5 * t**2 + 1,
         -1.5 * t**3 + 2 * t**2 + t / 2, (t**3 - t**2) / 2], axis=1,
    )  # fmt: skip
    basis = np.zeros((n * steps, n))
    for segment in range(n):
        for column in range(4):
            rows = slice(segment * steps, (segment + 1) * steps)
            basis[rows, (segment + column - 1) % n] += weights[:, column]
    return basis


def curve(points: ArrayLike, steps: int = 6) -> Points:
    """A smooth closed outline through (n, 2) control points: (n * steps, 2)."""
    control = np.asarray(points, float)
    smooth: Points = _closed_basis(len(control), steps) @ control
    return smooth


def stroke(points: ArrayLike, widths: ArrayLike) -> Points:
    """Outline of a tapering stroke along (n, 2) points, half of each width on either side."""
    centre = np.asarray(points, float)
    along = np.gradient(centre, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    half = np.asarray(widths, float)[:, None] / 2
    return np.concatenate([centre + across * half, (centre - across * half)[::-1]])
