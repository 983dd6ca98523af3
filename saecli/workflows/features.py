"""What a backbone finally gives for each picture of a set: the inputs of probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


@dataclass(frozen=True, eq=False)
class Features:
    """Inputs of probes for the readable pictures, in the files' order.

    Attributes:
        inputs: by what a probe reads: (n_images, D_in) float32, or (n_images, P, D) float16.
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
) -> Features:
    """Run the whole backbone over the pictures once.

    Raises:
        SaecliError: if no picture can be read.
    """
    parts: dict[Reads, list[Tensor]] = {name: [] for name in reads}
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
            for name, kept in parts.items():
                # Patches of a whole set are large; the head is fitted in float32 all the same.
                dtype = torch.float16 if name == "patches" else torch.float32
                kept.append(read(final, name).to("cpu", dtype))
            images.extend(zip(batch.indices, batch.infos, strict=True))
            task.advance(len(batch.indices))
    if not images:
        raise SaecliError(
            f"none of {len(files)} pictures could be read",
            f"mend or replace them (the first: {skipped[0].reason})",
        )
    say_skipped(skipped, progress)
    return Features({name: torch.cat(kept) for name, kept in parts.items()}, images, skipped)
