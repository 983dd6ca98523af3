"""Batches of pictures, read and decoded by threads ahead of whoever consumes them."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import torch
from PIL import Image
from torch import Tensor

from saecli.errors import SaecliError
from saecli.images.decoding import decode_bytes, read_bytes, thumbnail
from saecli.images.sources import ImageFile

BATCH_SIZE = 64  # pictures; large enough to fill a GPU with a ViT-B, 38 MB at 224 pixels
MAX_WORKERS = 8  # threads; Pillow decodes outside the interpreter lock


@dataclass(frozen=True)
class ImageInfo:
    """What is kept of a picture: width and height are those after EXIF rotation, in pixels.

    The thumbnail is JPEG, empty where none was asked for.
    """

    sha256: str
    width: int
    height: int
    thumbnail: bytes


@dataclass(frozen=True)
class Batch:
    """Pictures in the order of the files; ``pixels`` is (B, 3, H, W) float32 on the CPU."""

    indices: list[int]
    pixels: Tensor
    infos: list[ImageInfo]


@dataclass(frozen=True)
class Skipped:
    """A picture that was left out, and why."""

    name: str
    reason: str


def default_workers() -> int:
    """One thread a core that this process may use, at most MAX_WORKERS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, MAX_WORKERS)


def load_batches(
    files: Sequence[ImageFile],
    preprocess: Callable[[Image.Image], Tensor],
    *,
    batch_size: int = BATCH_SIZE,
    workers: int | None = None,
    thumbnails: bool = True,
    run: int | None = None,
    on_skip: Callable[[Skipped], None],
) -> Iterator[Batch]:
    """Read, hash, decode and preprocess pictures; each file is read once.

    Threads work ahead by about one batch, so memory holds at most three batches of pixels (the
    consumer's, the one being put together, the next) and one decoded picture a thread. A file
    that can't be read or seen is reported to ``on_skip`` (from the consumer's thread, in order)
    and left out; every batch but a run's last is full all the same. Closing the iterator stops the
    threads.

    Args:
        files: the pictures, in the order wanted.
        preprocess: from upright RGB to (3, H, W) float32; may raise SaecliError to refuse one.
        workers: threads; None for one a core (``default_workers``).
        thumbnails: False leaves ``ImageInfo.thumbnail`` empty.
        run: files are taken in runs of so many, and no batch holds files of two runs; None for
            one run of all.

    Yields:
        Batches of up to ``batch_size`` pictures; ``indices`` point into ``files``.
    """
    workers = workers or default_workers()
    ahead = batch_size + workers
    waiting: deque[tuple[int, Future[tuple[Tensor, ImageInfo]]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="saecli-images")
    try:
        remaining = iter(enumerate(files))
        ready: list[tuple[int, Tensor, ImageInfo]] = []
        while True:
            for index, file in islice(remaining, ahead - len(waiting)):
                waiting.append((index, pool.submit(_read, file, preprocess, thumbnails)))
            if not waiting:
                break
            index, future = waiting.popleft()
            if ready and run is not None and ready[0][0] // run != index // run:
                batch, ready = _batch(ready), []
                yield batch
            try:
                ready.append((index, *future.result()))
            except SaecliError as error:
                on_skip(Skipped(files[index].name, error.problem))
            if len(ready) == batch_size:
                batch, ready = _batch(ready), []
                yield batch
        if ready:
            yield _batch(ready)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _read(
    file: ImageFile, preprocess: Callable[[Image.Image], Tensor], thumbnails: bool
) -> tuple[Tensor, ImageInfo]:
    data = read_bytes(file.path)
    image = decode_bytes(data, file.name)
    info = ImageInfo(
        sha256=hashlib.sha256(data).hexdigest(),
        width=image.width,
        height=image.height,
        thumbnail=thumbnail(image) if thumbnails else b"",
    )
    return preprocess(image), info


def _batch(ready: list[tuple[int, Tensor, ImageInfo]]) -> Batch:
    return Batch(
        indices=[index for index, _, _ in ready],
        pixels=torch.stack([pixels for _, pixels, _ in ready]),
        infos=[info for _, _, info in ready],
    )
