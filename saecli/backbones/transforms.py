"""From an upright RGB picture to the pixels a backbone was trained on."""

import json
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saecli.backbones.geometry import Geometry


@dataclass(frozen=True)
class ImageTransform:
    """Resize, crop from the middle, scale to 0-1, subtract the mean, divide by the deviation.

    Args:
        geometry: the resize and the crop.
        interpolation: the resize's filter, the name of one of Pillow's in lower case.
        mean: of each channel, on the 0-1 scale.
        std: of each channel, on the 0-1 scale.
        fill: 0-255, the grey level around a picture that is smaller than the crop.
    """

    geometry: Geometry
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fill: int

    def __call__(self, image: Image.Image) -> Tensor:
        """(3, H, W) float32 on the CPU.

        Raises:
            SaecliError: if the picture is so narrow that it can't be resized.
        """
        pixels = np.asarray(self._crop(image.convert("RGB")), dtype=np.float32)
        # NumPy, since torch would start a pool of its own for each of the loading threads.
        pixels = pixels / np.float32(255)
        pixels -= np.asarray(self.mean, dtype=np.float32)
        pixels /= np.asarray(self.std, dtype=np.float32)
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

    def describe(self) -> str:
        """Canonical JSON: equal for transforms that compute the same."""
        return json.dumps(
            self.geometry.as_dict()
            | {
                "interpolation": self.interpolation,
                "mean": self.mean,
                "std": self.std,
                "fill": self.fill,
            },
            sort_keys=True,
            separators=(",", ":"),
        )

    def _crop(self, image: Image.Image) -> Image.Image:
        place = self.geometry.place(*image.size)
        size = (place.width, place.height)
        if size != image.size:
            image = image.resize(size, Image.Resampling[self.interpolation.upper()])
        height, width = self.geometry.crop
        if place.left >= 0 and place.top >= 0:
            return image.crop((place.left, place.top, place.left + width, place.top + height))
        canvas = Image.new("RGB", (width, height), (self.fill,) * 3)
        canvas.paste(image, (-place.left, -place.top))
        return canvas
