"""Running a backbone once per picture and keeping what it says of every patch."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from saecli.activations import store
from saecli.activations.settings import CacheSettings
from saecli.activations.shuffling import GroupedStream, UniformStream
from saecli.activations.source import Position, Split, Stream
from saecli.backbones.protocol import Backbone
from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.images.decoding import content_hash
from saecli.images.loading import Batch, ImageInfo, Skipped, load_batches
from saecli.images.sources import ImageFile
from saecli.progress import SILENT, Progress

LARGEST_FLOAT16 = float(torch.finfo(torch.float16).max)  # 65,504
BLOCK = 512  # patches read from a file in one go
BUFFER = 65_536  # patches mixed in memory where they are read from a file


class Recorded:
    """Recorded activations: a `Source` that never runs the backbone again.

    They are float16 (values that it can't hold make the whole recording float32), in memory
    or mapped from a file. In memory the training order is a uniform permutation of all
    patches; from a file, blocks of about 512 patches are permuted and mixed 65,536 at a time.
    """

    def __init__(self, contents: store.Contents, grid: Grid, *, in_ram: bool) -> None:
        self._activations = contents.activations
        self.images = contents.images
        self.skipped = contents.skipped
        self.grid = grid
        self.in_ram = in_ram

    @property
    def d_model(self) -> int:
        return self._activations.shape[2]

    @property
    def n_images(self) -> int:
        return self._activations.shape[0]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the pictures' contents and the way of shuffling."""
        return fingerprint_of(f"recorded {self.in_ram}", (info.sha256 for _, info in self.images))

    @property
    def dtype(self) -> torch.dtype:
        """float16, or float32 where that overflowed."""
        return self._activations.dtype

    def split(self, share: float, most: int, seed: int) -> Split:
        """Divide the images into those to train on and those to hold out."""
        return Split.of(self.n_images, share, most, seed)

    def shuffled(self, images: Tensor, seed: int, start: Position | None = None) -> Stream:
        """Patches of the given images in random order, from a position on."""
        start = start or Position()
        if self.in_ram:
            return UniformStream(self._activations, images, seed, start)
        per_block = max(1, BLOCK // self.grid.n_patches)
        return GroupedStream(
            lambda chosen: self._activations[chosen].flatten(0, 1),
            images,
            seed,
            start,
            images_per_block=per_block,
            images_per_group=max(per_block, BUFFER // self.grid.n_patches),
        )

    def batches(
        self, images_per_batch: int = 64, images: Tensor | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """All images, or the given ones, in order: images before the batch, (b, P, D) float32."""
        chosen = torch.arange(self.n_images) if images is None else images
        for start in range(0, len(chosen), images_per_batch):
            yield start, self._activations[chosen[start : start + images_per_batch]].float()


def fingerprint_of(way: str, names: Iterable[str]) -> str:
    """SHA-256 in hex over the way of shuffling and what names each picture, in order."""
    return hashlib.sha256("\n".join([way, *names]).encode()).hexdigest()


def size_of(backbone: Backbone, n_images: int, dtype: torch.dtype = torch.float16) -> int:
    """Bytes that a recording of so many images takes."""
    return n_images * backbone.grid.n_patches * backbone.d_model * dtype.itemsize


def record_patches(
    backbone: Backbone,
    files: Sequence[ImageFile],
    layer: int,
    *,
    cache: CacheSettings | None = None,
    batch_size: int = 64,
    progress: Progress = SILENT,
) -> Recorded:
    """Record the patch tokens of a layer for every readable picture, or find them recorded.

    Args:
        backbone: the backbone; runs on its own device.
        files: the pictures, in the order in which they are kept. Broken ones are skipped.
        layer: resolved, 0-based.
        cache: where to look and keep; by default in memory only.
        batch_size: images to a forward pass.
        progress: gets a task "recording", in images.

    Raises:
        SaecliError: if no picture is readable, the recording exceeds the bounds, the
            disk is full, or the backbone gives values that aren't finite.
    """
    cache = cache or CacheSettings()
    key = ""
    if cache.folder is not None:
        key = store.key_of(backbone.digest, layer, [_hash(file) for file in files])
        found = _find(cache, key, backbone.grid, progress)
        if found is not None:
            return found
    for dtype in (torch.float16, torch.float32):
        if not cache.holds(size_of(backbone, len(files), dtype)):
            raise _too_large(size_of(backbone, len(files), dtype), cache)
        try:
            return _record(backbone, files, layer, cache, key, dtype, batch_size, progress)
        except _OverflowError:
            progress.say(
                f"activations of layer {layer} exceed float16 ({LARGEST_FLOAT16:.0f}): "
                "recording them in float32"
            )
    raise AssertionError("float32 does not overflow")


def forward(
    backbone: Backbone,
    files: Sequence[ImageFile],
    layer: int,
    batch_size: int,
    skipped: list[Skipped],
    *,
    thumbnails: bool = True,
) -> Iterator[tuple[Batch, Tensor]]:
    """Batches of pictures with their patch activations, (b, P, D) float32 on the CPU.

    Raises:
        SaecliError: if an activation isn't finite.
    """
    batches = load_batches(
        files,
        backbone.preprocess,
        batch_size=batch_size,
        thumbnails=thumbnails,
        on_skip=skipped.append,
    )
    for batch in batches:
        patches = backbone.record(batch.pixels.to(backbone.device), layer).patches
        check_finite(patches, backbone, layer, [files[index] for index in batch.indices])
        yield batch, patches.to("cpu", torch.float32)


def check_finite(
    patches: Tensor, backbone: Backbone, layer: int, files: Sequence[ImageFile]
) -> None:
    """Return if the activations (b, P, D) of some pictures are numbers.

    Raises:
        SaecliError: if one is NaN or infinite.
    """
    if not torch.isfinite(patches).all():
        raise SaecliError(
            f"layer {layer} of {backbone.name} gives values that aren't finite, first for "
            f"one of {files[0].name} and the {len(files) - 1} after it",
            "run the backbone in float32, or check its weights",
        )


class _OverflowError(Exception):
    """An activation is beyond float16."""


def _record(
    backbone: Backbone,
    files: Sequence[ImageFile],
    layer: int,
    cache: CacheSettings,
    key: str,
    dtype: torch.dtype,
    batch_size: int,
    progress: Progress,
) -> Recorded:
    shape = (backbone.grid.n_patches, backbone.d_model)
    images: list[tuple[int, ImageInfo]] = []
    skipped: list[Skipped] = []
    n_bytes = size_of(backbone, len(files), dtype)

    def computed() -> Iterator[Tensor]:
        with progress.task("recording", len(files), "images") as task:
            for batch, activations in forward(backbone, files, layer, batch_size, skipped):
                if dtype == torch.float16 and float(activations.abs().max()) > LARGEST_FLOAT16:
                    raise _OverflowError
                images.extend(zip(batch.indices, batch.infos, strict=True))
                yield activations.to(dtype)
                task.advance(len(batch.indices))
        if not images:
            raise SaecliError(
                f"none of the {len(files)} pictures could be read",
                "give a folder of readable pictures",
            )

    if cache.folder is not None and cache.files(n_bytes):
        path = store.place_of(cache.folder, key)
        store.make_room(cache.folder, n_bytes, cache.max_bytes_file)
        with store.writing(path, key, shape, dtype) as writer:
            for activations in computed():
                writer.append(activations)
            writer.finish(images, skipped)
        in_ram = n_bytes <= cache.max_bytes_ram
        return Recorded(store.read(path, key, in_ram=in_ram), backbone.grid, in_ram=in_ram)

    kept = torch.empty((len(files), *shape), dtype=dtype)
    at = 0
    for activations in computed():
        kept[at : at + len(activations)] = activations
        at += len(activations)
    return Recorded(store.Contents(kept[:at], images, skipped), backbone.grid, in_ram=True)


def _find(cache: CacheSettings, key: str, grid: Grid, progress: Progress) -> Recorded | None:
    assert cache.folder is not None
    path = store.place_of(cache.folder, key)
    if not path.exists():
        return None
    in_ram = path.stat().st_size <= cache.max_bytes_ram
    try:
        contents = store.read(path, key, in_ram=in_ram)
    except SaecliError as error:
        progress.say(f"{error.problem}: recording again")
        return None
    path.touch()  # used last: the last to make room
    return Recorded(contents, grid, in_ram=in_ram)


def _hash(file: ImageFile) -> str:
    try:
        return content_hash(file.path)
    except (OSError, SaecliError):
        return "unreadable"


def _too_large(n_bytes: int, cache: CacheSettings) -> SaecliError:
    bound = max(cache.max_bytes_ram, cache.max_bytes_file if cache.folder else 0)
    return SaecliError(
        f"the activations take {n_bytes / 1e9:.1f} GB and the cache holds {bound / 1e9:.1f} GB",
        "raise --cache, or give fewer pictures",
    )
