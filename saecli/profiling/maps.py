"""Patch maps of the exemplars: sparse, one byte a value."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FULL = 255
"""The level of a map's own largest activation."""


@dataclass(frozen=True)
class PatchMaps:
    """Where each kept (latent, image) fires, as a share of its own largest activation there.

    Flat arrays, ordered by latent, then image; map i owns entries ``start[i]:start[i + 1]``,
    ordered by patch. An activation is ``level / 255`` of the exemplar's activation, within half
    a level; no active patch has level 0.

    Attributes:
        latent: (K,) int32.
        image: (K,) int32, image index.
        start: (K + 1,) int64.
        patch: (E,) uint16.
        level: (E,) uint8.
    """

    latent: NDArray[np.int32]
    image: NDArray[np.int32]
    start: NDArray[np.int64]
    patch: NDArray[np.uint16]
    level: NDArray[np.uint8]

    def of(self, latent: int, image: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """The (patches, levels) of one latent on one image.

        Raises:
            KeyError: if that image is none of the latent's exemplars.
        """
        first, last = np.searchsorted(self.latent, [latent, latent + 1])
        place = int(first + np.searchsorted(self.image[first:last], image))
        if place == last or self.image[place] != image:
            raise KeyError((latent, image))
        entries = slice(self.start[place], self.start[place + 1])
        return self.patch[entries], self.level[entries]

    def dense(self, latent: int, image: int, n_patches: int) -> NDArray[np.uint8]:
        """(n_patches,) levels of one latent on one image, 0 where it doesn't fire."""
        levels = np.zeros(n_patches, dtype=np.uint8)
        patch, level = self.of(latent, image)
        levels[patch] = level
        return levels


def to_levels(value: NDArray[np.float32], peak: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Positive activations as levels of their maps' largest: 1 to 255, elementwise."""
    scaled: NDArray[np.float32] = np.rint(value / peak * np.float32(FULL))
    return np.clip(scaled, 1, FULL).astype(np.uint8)
