"""Record a set's activations into a store that training and profiling read."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.errors import Interrupted
from saecli.progress import SILENT, Progress
from saecli.records.storing import RecordReport
from saecli.workflows.invocations import versions
from saecli.workflows.models import load_backbone, load_untrained_backbone
from saecli.workflows.pictures import open_pictures

if TYPE_CHECKING:
    from saecli.activations.processes import Processes
    from saecli.backbones.protocol import Backbone


@dataclass(frozen=True)
class Recording:
    """A store to record.

    Attributes:
        images: by any name that ``--images`` takes.
        backbone: by any name that ``--backbone`` takes.
        layers: may count from the end.
        out: the store's folder.
        dtype: float16, bfloat16 or float32.
        shard_bytes: about the size of one file of activations.
        n_images: only so many of the set's pictures; None for all.
        untrained_seed: draw the backbone's weights at random from it; None for its own.
    """

    images: str
    backbone: str
    layers: Sequence[int]
    out: Path
    dtype: str
    shard_bytes: int
    n_images: int | None = None
    untrained_seed: int | None = None


def record_set(
    job: Recording, device: str, command: Sequence[str], progress: Progress
) -> RecordReport | None:
    """Record a set, go on with a store that was begun, or find it recorded.

    Under torchrun each process records every n-th shard.

    Args:
        job: what to record.
        device: to compute on.
        command: as it was typed, for the manifest.
        progress: of process 0.

    Returns:
        what the store holds; None in every process but the first.

    Raises:
        SaecliError: if nothing can be loaded, the folder holds another store or something else,
            or the disk is full.
        Interrupted: on Ctrl-C; finished shards are kept.
    """
    from saecli.activations.manifest import is_store
    from saecli.activations.processes import joined
    from saecli.activations.storing import begin_store, finish_store, recipe_of, record_shards
    from saecli.backbones import resolve_layer

    started = time.monotonic()
    with joined() as here:
        if here.rank:
            progress = SILENT
        source = open_pictures(job.images, progress, n_images=job.n_images)
        backbone = _backbone(job, device, here, progress)
        layers = [resolve_layer(layer, backbone.n_blocks) for layer in job.layers]
        recipe = recipe_of(
            backbone,
            source,
            layers,
            dtype=job.dtype,
            shard_bytes=job.shard_bytes,
            untrained_seed=job.untrained_seed,
        )
        if here.rank == 0 and is_store(job.out):
            progress.say(f"'{job.out}' was begun before: recording what it lacks")
        if here.rank == 0:
            begin_store(job.out, recipe)
        here.wait()
        numbers = range(here.rank, recipe.n_shards, here.size)
        try:
            record_shards(job.out, backbone, source, recipe, numbers, progress=progress)
        except KeyboardInterrupt:
            raise Interrupted(
                "the recording was interrupted and its finished shards kept",
                "go on with the same command",
            ) from None
        here.wait()
        if here.rank:
            return None
        seconds = time.monotonic() - started
        made = {
            "command": list(command),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "processes": here.size,
            "versions": versions(device),
        }
        finish_store(job.out, recipe, made)
    return _report(job.out, seconds)


def _backbone(job: Recording, device: str, here: "Processes", progress: Progress) -> "Backbone":
    from saecli.backbones import resolve_device

    chosen = here.device(resolve_device(device))
    if job.untrained_seed is not None:
        return load_untrained_backbone(job.backbone, job.untrained_seed, progress, device=chosen)
    return load_backbone(job.backbone, progress, device=chosen)


def _report(folder: Path, seconds: float) -> RecordReport:
    from saecli.activations.manifest import read_manifest
    from saecli.activations.stored import Stored

    manifest = read_manifest(folder)
    recipe = manifest.recipe
    skipped = Stored(folder, manifest, recipe.layers[0]).skipped
    return RecordReport(
        out=str(folder),
        backbone=recipe.backbone.name,
        layers=list(recipe.layers),
        dtype=recipe.dtype,
        image_set=recipe.spec,
        n_images=manifest.n_images,
        n_patches=manifest.n_images * recipe.backbone.grid.n_patches,
        d_model=recipe.backbone.d_model,
        n_shards=recipe.n_shards,
        size=manifest.n_bytes,
        seconds=seconds,
        images_per_second=manifest.n_images / seconds if seconds else 0.0,
        skipped=[f"{one.name}: {one.reason}" for one in skipped],
    )
