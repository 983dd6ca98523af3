"""Which part of a picture a backbone sees, and how its patches lie on it."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.images.decoding import MAX_PIXELS

Rounding = Literal["down", "nearest"]

_INDEX_MODES = ("1", "L", "P", "I", "I;16")


@dataclass(frozen=True)
class Placement:
    """A resized picture (width, height) and where the crop starts in it, in its pixels.

    Negative offsets mean that the crop is larger and filled up around the picture.
    """

    width: int
    height: int
    left: int
    top: int


@dataclass(frozen=True)
class Geometry:
    """Resize, then crop from the middle, then patches.

    Args:
        resize: `shortest` or `longest` side to the target (the other in proportion), or `squash`
            both to it.
        target: (height, width) that the resize aims at, in pixels.
        crop: (height, width) that the backbone is given, in pixels.
        patch: (height, width) of a patch, in pixels.
        rounding: of the side that follows in proportion. torchvision and transformers round down,
            open_clip's ResizeKeepRatio to the nearest even.
        centring: of the crop's offset where the margin is odd: transformers round down,
            torchvision and open_clip to the nearest even.
    """

    resize: Literal["shortest", "longest", "squash"]
    target: tuple[int, int]
    crop: tuple[int, int]
    patch: tuple[int, int]
    rounding: Rounding
    centring: Rounding

    @property
    def grid(self) -> Grid:
        """The patches that fit into the crop; a rest at the right and below is unseen."""
        return Grid(self.crop[0] // self.patch[0], self.crop[1] // self.patch[1])

    def place(self, width: int, height: int) -> Placement:
        """Where the crop of a picture of this size lies.

        Raises:
            SaecliError: if the resized picture would have no pixel on one side, or more than
                ``images.decoding.MAX_PIXELS``.
        """
        new_width, new_height = self._resized(width, height)
        if min(new_width, new_height) < 1 or new_width * new_height > MAX_PIXELS:
            raise SaecliError(
                f"a picture of {width} × {height} pixels is too narrow for this backbone",
                "crop it, or leave it out",
            )
        crop_height, crop_width = self.crop
        return Placement(
            new_width,
            new_height,
            left=self._offset(new_width, crop_width),
            top=self._offset(new_height, crop_height),
        )

    def view(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The box that the patches tile: left, top, right, bottom in the picture's own pixels.

        The picture is upright (EXIF applied). The box lies partly outside it where the backbone
        fills up a margin.
        """
        place = self.place(width, height)
        grid = self.grid
        across, down = width / place.width, height / place.height
        return (
            place.left * across,
            place.top * down,
            (place.left + grid.columns * self.patch[1]) * across,
            (place.top + grid.rows * self.patch[0]) * down,
        )

    def patch_shares(self, mask: Image.Image, n_classes: int, grid: Grid) -> NDArray[np.float64]:
        """The share of each class in each patch, after the picture's own resize and crop.

        Args:
            mask: class indices, of the size of the upright picture; resized by nearest neighbour.
            n_classes: indices from this on count as no class.
            grid: over what the backbone sees; its own, or another to compare on.

        Returns:
            (P, n_classes) float64; a row sums to less than 1 where a patch holds pixels of no
            class or of a filled-up margin.

        Raises:
            SaecliError: if the mask holds colours instead of indices.
        """
        if mask.mode not in _INDEX_MODES:
            raise SaecliError(
                f"a mask has the colour mode {mask.mode}",
                "write masks as single-channel PNGs of class indices",
            )
        place = self.place(*mask.size)
        resized = np.asarray(mask.resize((place.width, place.height), Image.Resampling.NEAREST))
        own = self.grid
        height, width = own.rows * self.patch[0], own.columns * self.patch[1]
        top, left = max(place.top, 0), max(place.left, 0)
        part = resized[top : place.top + height, left : place.left + width]
        seen = np.full((height, width), n_classes, dtype=np.int64)
        down, across = top - place.top, left - place.left
        seen[down : down + part.shape[0], across : across + part.shape[1]] = part
        seen[(seen < 0) | (seen > n_classes)] = n_classes
        patch = (np.arange(height) * grid.rows // height)[:, None] * grid.columns + (
            np.arange(width) * grid.columns // width
        )
        counts = np.bincount(
            (patch * (n_classes + 1) + seen).ravel(), minlength=grid.n_patches * (n_classes + 1)
        ).reshape(grid.n_patches, n_classes + 1)
        shares: NDArray[np.float64] = counts[:, :n_classes] / counts.sum(axis=1, keepdims=True)
        return shares

    @classmethod
    def of(cls, image_transform: str) -> "Geometry":
        """The geometry that a backbone's description of its image transform holds."""
        told = json.loads(image_transform)
        target, crop, patch = (tuple(told[name]) for name in ("target", "crop", "patch"))
        return cls(told["resize"], target, crop, patch, told["rounding"], told["centring"])

    def as_dict(self) -> dict[str, object]:
        """The fields, for a canonical description."""
        return asdict(self)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        target_height, target_width = self.target
        if self.resize == "squash":
            return target_width, target_height
        if self.rounding == "down":
            shortest, side = min(width, height), target_height
            if width <= height:
                return side, int(side * height / shortest)
            return int(side * width / shortest), side
        ratios = (height / target_height, width / target_width)
        ratio = max(ratios) if self.resize == "longest" else min(ratios)
        return round(width / ratio), round(height / ratio)

    def _offset(self, length: int, crop: int) -> int:
        if self.centring == "down":
            return (length - crop) // 2
        if length < crop:
            return -((crop - length) // 2)
        return round((length - crop) / 2)
