"""Activation stores of given numbers, for tests and measurements that need no backbone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from saecli.activations.manifest import Manifest, Recipe, RecordedBackbone
from saecli.activations.shards import StoredPicture, write_shard
from saecli.activations.storing import begin_store, finish_store
from saecli.grid import Grid


def write_store(
    folder: Path,
    images: Iterator[torch.Tensor],
    n_images: int,
    grid: Grid,
    d_model: int,
    *,
    images_per_shard: int,
    dtype: str = "float16",
    layers: Sequence[int] = (0,),
) -> Manifest:
    """A store of the activations (P, D) that ``images`` gives one after another, in every layer."""
    backbone = RecordedBackbone("given", "dinov2", "given", "0" * 64, "{}", d_model, 12, grid)
    recipe = Recipe(
        backbone=backbone,
        layers=tuple(layers),
        dtype=dtype,
        spec="given",
        root=str(folder),
        n_files=n_images,
        listing="",
        images_per_shard=images_per_shard,
    )
    begin_store(folder, recipe)
    for number in range(recipe.n_shards):
        first = number * images_per_shard
        indices = range(first, min(first + images_per_shard, n_images))

        def computed(indices: range = indices):
            for i in indices:
                known = StoredPicture(i, f"{i:08}", f"{i:08}", None, f"{i:064x}", 16, 16, 0)
                activations = next(images)[None].to(getattr(torch, dtype))
                yield [known], [b""], [activations for _ in layers]

        write_shard(folder, recipe, number, computed(), [])
    return finish_store(folder, recipe, {})
