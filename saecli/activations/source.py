"""What a trainer reads: patch activations in shuffled batches, and a held-out share in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from saecli.grid import Grid
from saecli.images.loading import ImageInfo, Skipped


@dataclass(frozen=True)
class Position:
    """Where a shuffled stream stands; with the seed it determines everything that follows.

    Attributes:
        epoch: passes over the training images completed.
        group: groups of this epoch completed (always 0 where an epoch is one group).
        offset: patches of the present group handed out.
    """

    epoch: int = 0
    group: int = 0
    offset: int = 0


class Stream(Protocol):
    """Endless shuffled batches; every patch comes exactly once in each epoch."""

    @property
    def position(self) -> Position:
        """Where the next batch starts."""

    def draw(self, n: int, share: tuple[int, int] = (0, 1)) -> Tensor:
        """The next n patches, (n, d_model) float32 on the CPU.

        With a share (r, s) only the r-th of s equal parts of them, counted from 0; the position
        moves on by all n.
        """


@dataclass(frozen=True)
class Split:
    """Which images are trained on and which are held out, ascending.

    One single image stands on both sides: it is trained on and evaluated on.
    """

    train: Tensor
    held_out: Tensor

    @classmethod
    def of(cls, n_images: int, share: float, most: int, seed: int) -> "Split":
        """Hold out a share of the images (at least 1, at most ``most``), drawn by the seed."""
        order = torch.from_numpy(np.random.default_rng([seed, n_images]).permutation(n_images))
        n_held_out = min(max(1, round(share * n_images)), most)
        held_out = order[:n_held_out].sort().values
        train = order[n_held_out:].sort().values if n_images > n_held_out else held_out
        return cls(train=train, held_out=held_out)


class Source(Protocol):
    """Activations of a set of images at one layer."""

    @property
    def grid(self) -> Grid:
        """The patch grid of each image."""

    @property
    def d_model(self) -> int:
        """Width of an activation."""

    @property
    def n_images(self) -> int:
        """Images of the set; where it is streamed, those not found broken so far."""

    @property
    def images(self) -> list[tuple[int, ImageInfo]]:
        """(index into the files, what is known of the image), in order, of the readable ones."""

    @property
    def skipped(self) -> list[Skipped]:
        """The pictures that could not be read, each once."""

    @property
    def fingerprint(self) -> str:
        """What the pictures are and in which way they are shuffled, hashed: a saved position
        means the same only where this is the same."""

    def split(self, share: float, most: int, seed: int) -> Split:
        """Divide the images into those to train on and those to hold out."""

    def shuffled(self, images: Tensor, seed: int, start: Position | None = None) -> Stream:
        """Patches of the given images in random order, from a position on."""

    def batches(
        self, images_per_batch: int = 64, images: Tensor | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """All images, or the given ones, in order.

        Yields:
            the number of images before this batch, and (b, n_patches, d_model) float32.
        """
