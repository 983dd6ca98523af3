"""The backbone up to the edited layer, run once per picture and shared by all arms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from saecli.backbones.protocol import Backbone, LayerOutput

MOST_ACTIVATIONS = 2**26  # numbers of f that a batch of pictures may have: 256 MB in float32
MOST_IMAGES = 16  # an interrupted run loses at most a batch
MAX_BYTES = 2 << 30  # recorded outputs kept in memory; what exceeds it is recorded when needed


def images_per_batch(n_patches: int, n_latents: int) -> int:
    """Pictures in a batch; it depends on shapes alone, so a resumed run meets the same batches."""
    return max(1, min(MOST_IMAGES, MOST_ACTIVATIONS // (n_patches * n_latents)))


class Prefixes:
    """Layer outputs of an experiment's pictures, in batches that never change.

    Args:
        backbone: records them.
        layer: resolved.
        load: gives the pixels (b, 3, H, W) of the pictures at these positions.
        n_images: how many pictures there are.
        batch: pictures in a batch.
        max_bytes: bound on the outputs kept.
    """

    def __init__(
        self,
        backbone: Backbone,
        layer: int,
        load: Callable[[npt.NDArray[np.int64]], Tensor],
        n_images: int,
        batch: int,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.n_images = n_images
        self._backbone, self._layer, self._load = backbone, layer, load
        self._batch, self._room = batch, max_bytes
        self._kept: dict[int, LayerOutput] = {}

    def __len__(self) -> int:
        """Number of batches."""
        return -(-self.n_images // self._batch)

    def positions(self, number: int) -> npt.NDArray[np.int64]:
        """Which pictures a batch holds."""
        start = number * self._batch
        return np.arange(start, min(start + self._batch, self.n_images))

    def __getitem__(self, number: int) -> LayerOutput:
        """A batch's outputs, recorded at the first call and then kept where there is room."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        if number in self._kept:
            return self._kept[number]
        output = self._backbone.record(self._load(self.positions(number)), self._layer)
        size = output.tokens.numel() * output.tokens.element_size()
        if size <= self._room:
            self._room -= size
            self._kept[number] = output
        return output
