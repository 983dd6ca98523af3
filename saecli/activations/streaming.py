"""Activations computed as they are needed: for pictures seen once, or too many to keep."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from saecli.activations.recording import (
    LARGEST_FLOAT16,
    fingerprint_of,
    forward,
    record_patches,
    size_of,
)
from saecli.activations.settings import CacheSettings
from saecli.activations.shuffling import GroupedStream
from saecli.activations.source import Position, Source, Split, Stream
from saecli.backbones.protocol import Backbone
from saecli.grid import Grid
from saecli.images.decoding import size_of_file
from saecli.images.loading import ImageInfo, Skipped
from saecli.images.sources import ImageFile
from saecli.progress import SILENT, Progress

BUFFER = 131_072  # patches mixed in memory: 6 of each of 670 images of 196 in a batch of 4,096


class Streaming:
    """A `Source` that runs the backbone on random pictures and mixes their patches in a buffer.

    The buffer holds ``buffer`` patches in float16 (float32 where a value exceeds it) and is
    emptied before it is filled again, so that a position in the stream determines it.
    ``n_images`` counts all pictures until a broken one is met; ``images`` fills as `batches`
    passes them.
    """

    def __init__(
        self,
        backbone: Backbone,
        files: Sequence[ImageFile],
        layer: int,
        *,
        buffer: int = BUFFER,
        batch_size: int = 64,
    ) -> None:
        self._backbone = backbone
        self._files = files
        self._layer = layer
        self._batch_size = batch_size
        self._images_per_group = max(1, buffer // backbone.grid.n_patches)
        self._known: dict[int, ImageInfo] = {}
        self._skipped: dict[str, Skipped] = {}
        self._group: tuple[tuple[int, ...], Tensor] | None = None

    @property
    def grid(self) -> Grid:
        return self._backbone.grid

    @property
    def d_model(self) -> int:
        return self._backbone.d_model

    @property
    def n_images(self) -> int:
        return len(self._files) - len(self._skipped)

    @property
    def images(self) -> list[tuple[int, ImageInfo]]:
        """The readable pictures that `batches` has passed, in the order of the files."""
        return sorted(self._known.items(), key=lambda item: item[0])

    @property
    def skipped(self) -> list[Skipped]:
        return list(self._skipped.values())

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the pictures' names and sizes (they aren't read for it) and the buffer."""
        names = (f"{file.name} {size_of_file(file.path)}" for file in self._files)
        return fingerprint_of(f"streamed {self._images_per_group}", names)

    def split(self, share: float, most: int, seed: int) -> Split:
        """Divide the pictures, broken ones included, into those to train on and to hold out."""
        return Split.of(len(self._files), share, most, seed)

    def shuffled(self, images: Tensor, seed: int, start: Position | None = None) -> Stream:
        """Patches of the given pictures in random order, from a position on."""
        return GroupedStream(
            self._fetch,
            images,
            seed,
            start or Position(),
            images_per_block=1,
            images_per_group=self._images_per_group,
        )

    def batches(
        self, images_per_batch: int = 64, images: Tensor | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """All pictures, or the given ones, in order: readable ones before it, (b, P, D)."""
        chosen = range(len(self._files)) if images is None else images.tolist()
        start = 0
        for activations in self._run(list(chosen), images_per_batch, inform=True):
            yield start, activations
            start += len(activations)

    def _fetch(self, images: Tensor) -> Tensor:
        """Patches (n, D) of the given pictures; a group read twice running is computed once."""
        wanted = tuple(images.tolist())
        if self._group is None or self._group[0] != wanted:
            parts = []
            for activations in self._run(list(wanted), self._batch_size, inform=False):
                fits = float(activations.abs().max()) <= LARGEST_FLOAT16
                parts.append(activations.half() if fits else activations)
            patches = torch.cat(parts).flatten(0, 1) if parts else torch.empty(0, self.d_model)
            self._group = (wanted, patches)
        return self._group[1]

    def _run(self, indices: list[int], batch_size: int, *, inform: bool) -> Iterator[Tensor]:
        files = [self._files[index] for index in indices]
        skipped: list[Skipped] = []
        for batch, activations in forward(
            self._backbone, files, self._layer, batch_size, skipped, thumbnails=inform
        ):
            if inform:
                numbers = (indices[at] for at in batch.indices)
                self._known.update(zip(numbers, batch.infos, strict=True))
            yield activations
        self._skipped.update((one.name, one) for one in skipped)


def open_activations(
    backbone: Backbone,
    files: Sequence[ImageFile],
    layer: int,
    *,
    read_once: bool,
    cache: CacheSettings | None = None,
    batch_size: int = 64,
    progress: Progress = SILENT,
) -> Source:
    """Record the activations if they are read again and the cache holds them, else stream."""
    cache = cache or CacheSettings()
    n_bytes = size_of(backbone, len(files))
    if not read_once and cache.holds(n_bytes):
        return record_patches(
            backbone, files, layer, cache=cache, batch_size=batch_size, progress=progress
        )
    if not read_once:
        progress.say(
            f"the activations of {len(files)} pictures take {n_bytes / 1e9:.1f} GB, more than "
            "--cache holds: the backbone runs again at each pass"
        )
    return Streaming(backbone, files, layer, batch_size=batch_size)
