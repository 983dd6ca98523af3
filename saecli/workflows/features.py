"""What a backbone finally gives for each picture of a set: the inputs of probes."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.experiments.probes import Reads, read
from saecli.images.loading import ImageInfo, Skipped, load_batches
from saecli.images.sources import ImageFile
from saecli.progress import Progress
from saecli.workflows.pictures import say_skipped

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone

MAX_BYTES = 1 << 30  # inputs of one kind kept in memory; larger ones go to a file and are mapped
MARGIN = 1 << 30  # bytes that a file leaves free on its disk


@dataclass(frozen=True, eq=False)
class Features:
    """Inputs of probes for the readable pictures, in the files' order.

    Attributes:
        inputs: by what a probe reads: (n_images, D_in) float32, or (n_images, P, D) float16; those
            of a large set are mapped from a file that is gone as soon as nobody reads it.
        images: (index into the files, what is known of the picture).
        skipped: the pictures that could not be read.
    """

    inputs: dict[Reads, Tensor]
    images: list[tuple[int, ImageInfo]]
    skipped: list[Skipped]


def final_features(
    backbone: "Backbone",
    files: Sequence[ImageFile],
    reads: Sequence[Reads],
    progress: Progress,
    *,
    batch_size: int = 64,
    folder: Path | None = None,
    max_bytes: int = MAX_BYTES,
) -> Features:
    """Run the whole backbone over the pictures once.

    Args:
        folder: where inputs larger than ``max_bytes`` may lie while they are used; made if
            needed. None keeps all in memory.

    Raises:
        SaecliError: if no picture can be read, or the disk has no room for a file.
    """
    kept = {name: _Kept(len(files), folder, max_bytes) for name in reads}
    images: list[tuple[int, ImageInfo]] = []
    skipped: list[Skipped] = []
    last = backbone.n_blocks - 1
    with torch.no_grad(), progress.task("final outputs", len(files), "images") as task:
        for batch in load_batches(
            files,
            backbone.preprocess,
            batch_size=batch_size,
            thumbnails=False,
            on_skip=skipped.append,
        ):
            final = backbone.resume(backbone.record(batch.pixels, last), last)
            for name, part in kept.items():
                # Patches of a whole set are large; the head is fitted in float32 all the same.
                dtype = torch.float16 if name == "patches" else torch.float32
                part.append(read(final, name).to("cpu", dtype))
            images.extend(zip(batch.indices, batch.infos, strict=True))
            task.advance(len(batch.indices))
    if not images:
        raise SaecliError(
            f"none of {len(files)} pictures could be read",
            f"mend or replace them (the first: {skipped[0].reason})",
        )
    say_skipped(skipped, progress)
    return Features({name: part.joined() for name, part in kept.items()}, images, skipped)


class _Kept:
    """Inputs of one kind: in memory, or appended to a file if the whole set would be too large."""

    def __init__(self, n_images: int, folder: Path | None, max_bytes: int) -> None:
        self._n_images, self._folder, self._max_bytes = n_images, folder, max_bytes
        self._parts: list[Tensor] = []
        self._file: IO[bytes] | None = None
        self._n = 0

    def append(self, part: Tensor) -> None:
        if not self._n and self._folder is not None:
            expected = self._n_images * part[0].numel() * part.element_size()
            if expected > self._max_bytes:
                self._file = _room_for(expected, self._folder)
        self._n += len(part)
        if self._file is None:
            self._parts.append(part)
        else:
            self._parts = [part[:1]]  # its shape and kind
            self._file.write(part.contiguous().numpy().tobytes())

    def joined(self) -> Tensor:
        """(n, …), all that was appended."""
        if self._file is None:
            return torch.cat(self._parts)
        self._file.flush()
        one = self._parts[0].numpy()
        # Copy on write: torch wants memory that could be written to.
        mapped = np.memmap(self._file, one.dtype, mode="c", shape=(self._n, *one.shape[1:]))
        return torch.from_numpy(mapped)


def _room_for(n_bytes: int, folder: Path) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < n_bytes + MARGIN:
        raise SaecliError(
            f"the patches of these pictures take {n_bytes / 1e9:.1f} GB and the disk of {folder} "
            f"has {free / 1e9:.1f} GB free",
            "make room, or take fewer pictures with --n-images",
        )
    return tempfile.TemporaryFile(dir=folder, prefix="patches-")
