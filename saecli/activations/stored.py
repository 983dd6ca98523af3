"""Reading an activation store: shuffled through a buffer, or in order, always a run at a time."""

import bisect
import itertools
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from saecli.activations.manifest import (
    Manifest,
    check_layer,
    layer_path,
    read_manifest,
)
from saecli.activations.recording import fingerprint_of
from saecli.activations.settings import STORE_BUFFER
from saecli.activations.shards import (
    StoredPicture,
    read_activations,
    read_infos,
    read_pictures,
)
from saecli.activations.shuffling import GroupedStream
from saecli.activations.source import Position, Split, Stream
from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.images.loading import ImageInfo, Skipped
from saecli.images.sources import ImageFile, ImageSource

BLOCK_BYTES = 1 << 18  # read in one go at least: one picture of a ViT-B/16
READERS = 4  # reads under way at once: 3 × the speed of one on a disk that is cold


class Stored:
    """A `Source` that reads one layer of a store and never runs a backbone.

    Shuffled, blocks of whole pictures (256 KB or one) are drawn at random into a buffer of
    ``buffer`` patches in the store's own type, and a full buffer is handed out in random order
    while the next one is read: memory is two buffers, whatever the size of the store, and a batch
    mixes what one buffer holds. A buffer as large as the set gives one uniform permutation.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, layer: int, buffer: int = STORE_BUFFER
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.layer = layer
        self._dtype = getattr(torch, manifest.recipe.dtype)
        self._buffer = buffer
        counts = (shard.n_images for shard in manifest.shards)
        self._starts = list(itertools.accumulate(counts, initial=0))

    @property
    def grid(self) -> Grid:
        return self.manifest.recipe.backbone.grid

    @property
    def d_model(self) -> int:
        return self.manifest.recipe.backbone.d_model

    @property
    def n_images(self) -> int:
        return self.manifest.n_images

    @cached_property
    def _listed(self) -> tuple[list[list[StoredPicture]], list[Skipped]]:
        """The readable pictures of each shard, and the others of all."""
        pictures, skipped = [], []
        for shard in self.manifest.shards:
            readable, broken = read_pictures(self.folder, shard)
            pictures.append(readable)
            skipped += broken
        return pictures, skipped

    @property
    def images(self) -> list[tuple[int, ImageInfo]]:
        """(place in `pictures`, what is known of the image), in order; thumbnails are read."""
        infos: list[ImageInfo] = []
        for shard, pictures in zip(self.manifest.shards, self._listed[0], strict=True):
            infos += read_infos(self.folder, shard.number, pictures)
        return list(enumerate(infos))

    @property
    def skipped(self) -> list[Skipped]:
        return self._listed[1]

    @property
    def pictures(self) -> ImageSource:
        """The readable pictures, where they lay when they were recorded."""
        recipe = self.manifest.recipe
        files = (
            ImageFile(Path(one.path), one.name, one.label)
            for one in itertools.chain.from_iterable(self._listed[0])
        )
        return ImageSource(recipe.spec, Path(recipe.root), tuple(files))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the pictures' contents, the type and the way of shuffling."""
        way = f"stored {self.manifest.recipe.dtype} {self._per_block} {self._per_group}"
        return fingerprint_of(way, [self.manifest.pictures])

    def split(self, share: float, most: int, seed: int) -> Split:
        """Divide the images into those to train on and those to hold out."""
        return Split.of(self.n_images, share, most, seed)

    def shuffled(self, images: Tensor, seed: int, start: Position | None = None) -> Stream:
        """Patches of the given images in random order, from a position on."""
        most = min(self._per_group, len(images))
        rooms = itertools.cycle([self._room(most), self._room(most)])  # fresh pages cost more

        readers = ThreadPoolExecutor(READERS, "saecli-reading")

        def fetch(chosen: Tensor) -> Tensor:
            return self.read(chosen, next(rooms)[: len(chosen)], readers).flatten(0, 1)

        return GroupedStream(
            fetch,
            images,
            seed,
            start or Position(),
            images_per_block=self._per_block,
            images_per_group=self._per_group,
            ahead=True,
        )

    def batches(
        self, images_per_batch: int = 64, images: Tensor | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """All images, or the given ones, in order: images before the batch, (b, P, D) float32."""
        chosen = torch.arange(self.n_images) if images is None else images
        for start in range(0, len(chosen), images_per_batch):
            yield start, self.read(chosen[start : start + images_per_batch]).float()

    def read(
        self, images: Tensor, into: Tensor | None = None, readers: Executor | None = None
    ) -> Tensor:
        """Activations (m, P, D) of image numbers (m,), in the store's type.

        Args:
            images: ascending runs are read in one go.
            into: contiguous room for them; new where None.
            readers: threads that read several runs at a time.

        Raises:
            SaecliError: if a file is missing, can't be read, or is cut short.
        """
        numbers = images.tolist()
        found = self._room(len(numbers)) if into is None else into

        def read_run(run: tuple[int, int, int]) -> None:
            shard, at, end = run
            path = self.folder / layer_path(self.layer, shard)
            read_activations(path, numbers[at] - self._starts[shard], found[at:end])

        for _ in (readers.map if readers else map)(read_run, self._runs(numbers)):
            pass
        return found

    def _runs(self, numbers: list[int]) -> Iterator[tuple[int, int, int]]:
        """(shard, first place, end) of images that lie behind one another in a shard."""
        at = 0
        while at < len(numbers):
            shard = bisect.bisect_right(self._starts, numbers[at]) - 1
            end = at + 1
            last = self._starts[shard + 1]
            while end < len(numbers) and numbers[end] == numbers[end - 1] + 1 < last:
                end += 1
            yield shard, at, end
            at = end

    def _room(self, n_images: int) -> Tensor:
        return torch.empty((n_images, self.grid.n_patches, self.d_model), dtype=self._dtype)

    @property
    def _per_block(self) -> int:
        image: int = self.grid.n_patches * self.d_model * self._dtype.itemsize
        return -(-BLOCK_BYTES // image)

    @property
    def _per_group(self) -> int:
        """Whole blocks, so that a buffer is never exceeded (but by a single block)."""
        return max(1, self._buffer // self.grid.n_patches // self._per_block) * self._per_block


def open_store(folder: Path, layer: int | None = None, *, buffer: int = STORE_BUFFER) -> Stored:
    """Open a finished store.

    Args:
        folder: the store.
        layer: resolved, or counted from the end; None for the only one it has.
        buffer: patches mixed in memory when it is read shuffled.

    Raises:
        SaecliError: if it is no store, unfinished or damaged, doesn't have the layer, or has
            several and none is named.
    """
    manifest = read_manifest(folder)
    recipe = manifest.recipe
    if not manifest.complete:
        raise SaecliError(
            f"the activation store '{folder}' is unfinished",
            "go on with the saecli record that began it",
        )
    if layer is None:
        if len(recipe.layers) > 1:
            raise SaecliError(
                f"the activation store '{folder}' holds the layers "
                + ", ".join(map(str, recipe.layers)),
                "name one with --layer",
                usage=True,
            )
        layer = recipe.layers[0]
    layer = layer + recipe.backbone.n_blocks if layer < 0 else layer
    check_layer(folder, recipe, layer)
    return Stored(folder, manifest, layer, buffer)
