"""Recording a set into a store: several layers in one pass, resumable in the middle."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saecli.activations.manifest import (
    Manifest,
    Recipe,
    RecordedBackbone,
    check_backbone,
    is_store,
    listing_of,
    read_manifest,
    write_manifest,
)
from saecli.activations.recording import LARGEST_FLOAT16, check_finite, fingerprint_of
from saecli.activations.shards import StoredPicture, read_pictures, read_shard, write_shard
from saecli.backbones.protocol import Backbone
from saecli.errors import SaecliError
from saecli.images.decoding import size_of_file
from saecli.images.loading import Batch, Skipped, load_batches
from saecli.images.sources import ImageFile, ImageSource
from saecli.progress import SILENT, Progress

Computed = tuple[list[StoredPicture], list[bytes], list[Tensor]]

SHARD_BYTES = 256 << 20  # of one layer: 850 pictures of a ViT-B/16; what an interrupt can lose


def recipe_of(
    backbone: Backbone,
    source: ImageSource,
    layers: Sequence[int],
    *,
    dtype: str = "float16",
    shard_bytes: int = SHARD_BYTES,
    untrained_seed: int | None = None,
) -> Recipe:
    """What a store of these pictures' activations is made by.

    Args:
        backbone: whose activations.
        source: the pictures.
        layers: resolved.
        dtype: float16, bfloat16 or float32.
        shard_bytes: about the size of one file of activations.
        untrained_seed: of the backbone's random weights, where it is an untrained twin.
    """
    per_image = backbone.grid.n_patches * backbone.d_model * getattr(torch, dtype).itemsize
    return Recipe(
        backbone=RecordedBackbone.of(backbone, untrained_seed),
        layers=tuple(sorted(set(layers))),
        dtype=dtype,
        spec=source.spec,
        root=str(source.root),
        n_files=len(source.files),
        listing=listing_of([(file.name, size_of_file(file.path)) for file in source.files]),
        images_per_shard=max(1, shard_bytes // per_image),
    )


def begin_store(folder: Path, recipe: Recipe) -> Manifest:
    """Make a store's folder, or find it begun or finished by the same recipe.

    Raises:
        SaecliError: if the folder holds something else, or a store of another recipe.
    """
    if is_store(folder):
        found = read_manifest(folder)
        _check_recipe(folder, found.recipe, recipe)
        return found
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SaecliError(
            f"'{folder}' is there already and no activation store",
            "name a new folder with --out",
        )
    manifest = Manifest(recipe)
    write_manifest(folder, manifest)
    return manifest


def record_shards(
    folder: Path,
    backbone: Backbone,
    source: ImageSource,
    recipe: Recipe,
    numbers: Sequence[int],
    *,
    batch_size: int = 64,
    progress: Progress = SILENT,
) -> None:
    """Record some shards; those that are recorded already are left as they are.

    A shard's bits depend on its own pictures and the batch size alone (on one machine), so that
    it doesn't matter who records which, nor when.

    Args:
        folder: a store that `begin_store` made.
        backbone: of the recipe.
        source: of the recipe.
        recipe: of the store.
        numbers: of the shards to record.
        batch_size: images to a forward pass.
        progress: gets a task "recording", in images.

    Raises:
        SaecliError: if the disk is full, or an activation isn't finite or beyond the dtype.
    """
    run = recipe.images_per_shard
    missing = [number for number in numbers if read_shard(folder, number) is None]
    listed = [
        index
        for number in missing
        for index in range(number * run, min((number + 1) * run, recipe.n_files))
    ]
    n_there = sum(min(run, recipe.n_files - number * run) for number in numbers) - len(listed)
    skipped: dict[int, list[Skipped]] = {number: [] for number in missing}
    shard_of = {source.files[index].name: index // run for index in listed}
    files = [source.files[index] for index in listed]
    loaded = load_batches(
        files,
        backbone.preprocess,
        batch_size=batch_size,
        run=run,
        on_skip=lambda one: skipped[shard_of[one.name]].append(one),
    )
    with progress.task("recording", n_there + len(listed), "images") as task:
        task.advance(n_there)
        batches = _Batches(loaded)
        for place, number in enumerate(missing):

            def computed(end: int = (place + 1) * run) -> Iterator[Computed]:
                for batch in batches.before(end):
                    chosen = [files[at] for at in batch.indices]
                    yield (
                        [
                            _picture(listed[at], file, batch, row)
                            for row, (at, file) in enumerate(
                                zip(batch.indices, chosen, strict=True)
                            )
                        ],
                        [info.thumbnail for info in batch.infos],
                        _activations(backbone, batch, recipe, chosen),
                    )
                    task.advance(len(chosen))

            write_shard(folder, recipe, number, computed(), skipped[number])


def finish_store(folder: Path, recipe: Recipe, made: dict[str, Any]) -> Manifest:
    """Complete a store whose shards are all recorded; a complete one is left as it is.

    Args:
        folder: the store.
        recipe: of the store.
        made: command, versions and times, for people.

    Raises:
        SaecliError: if a shard is missing or damaged, or no picture could be read.
    """
    manifest = read_manifest(folder)
    if manifest.complete:
        return manifest
    shards, hashes = [], []
    for number in range(recipe.n_shards):
        shard = read_shard(folder, number)
        if shard is None:
            raise SaecliError(
                f"shard {number} of '{folder}' is missing", "run the same saecli record again"
            )
        shards.append(shard)
        hashes += [one.sha256 for one in read_pictures(folder, shard)[0]]
    if not hashes:
        raise SaecliError(
            f"none of the {recipe.n_files} pictures could be read",
            "give a folder of readable pictures",
        )
    for draft in folder.rglob(".*"):  # of processes that were killed while they wrote
        draft.unlink()
    manifest = Manifest(recipe, tuple(shards), fingerprint_of("pictures", hashes), made)
    write_manifest(folder, manifest)
    return manifest


class _Batches:
    """Batches taken as far as a run goes, and no further."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._next: Batch | None = None

    def before(self, end: int) -> Iterator[Batch]:
        """The batches whose files come before a place in the list."""
        while True:
            batch = self._next or next(self._batches, None)
            if batch is None or batch.indices[0] >= end:
                self._next = batch
                return
            self._next = None
            yield batch


def _picture(index: int, file: ImageFile, batch: Batch, row: int) -> StoredPicture:
    info = batch.infos[row]
    return StoredPicture(
        index=index,
        name=file.name,
        path=str(file.path.absolute()),
        label=file.label,
        sha256=info.sha256,
        width=info.width,
        height=info.height,
        thumbnail=len(info.thumbnail),
    )


def _activations(
    backbone: Backbone, batch: Batch, recipe: Recipe, files: Sequence[ImageFile]
) -> list[Tensor]:
    """(b, P, D) of each layer in the store's dtype, on the CPU."""
    dtype = getattr(torch, recipe.dtype)
    outputs = backbone.record_layers(batch.pixels.to(backbone.device), recipe.layers)
    found = []
    for layer, output in zip(recipe.layers, outputs, strict=True):
        check_finite(output.patches, backbone, layer, files)
        kept = output.patches.to(dtype)
        if not torch.isfinite(kept).all():
            raise SaecliError(
                f"activations of layer {layer} exceed {recipe.dtype}"
                + (f" ({LARGEST_FLOAT16:.0f})" if dtype == torch.float16 else ""),
                "record them with --dtype " + ("bfloat16" if dtype == torch.float16 else "float32"),
            )
        found.append(kept.cpu())
    return found


def _check_recipe(folder: Path, there: Recipe, now: Recipe) -> None:
    """Return if a store's recipe is this one, whatever the folder of its pictures is called."""
    check_backbone(folder, there, now.backbone.digest, now.backbone.name)
    words = {
        "layers": ("the layers", ", ".join(map(str, there.layers))),
        "dtype": ("the type", there.dtype),
        "images_per_shard": ("the number of pictures to a shard", there.images_per_shard),
        "n_files": ("the number of pictures", there.n_files),
        "listing": ("the pictures of", there.spec),
    }
    for name, (what, then) in words.items():
        if getattr(there, name) != getattr(now, name):
            raise SaecliError(
                f"the activation store '{folder}' was begun with other settings: {what} {then}",
                "repeat those, or name a new folder with --out",
            )
