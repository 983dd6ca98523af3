"""Whether the files of an activation store, or of the cache, are what was written."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import torch

from saecli.activations import store
from saecli.activations.headers import CODES, read_header
from saecli.activations.manifest import Manifest, Recipe, Shard, StoredFile, is_store, read_manifest
from saecli.activations.recording import fingerprint_of
from saecli.activations.shards import header_of, read_pictures, read_shard
from saecli.errors import SaecliError
from saecli.progress import SILENT, Progress

CHUNK = 1 << 22  # bytes hashed at a time


@dataclass
class Findings:
    """What was found in a folder; size in bytes of the files that were read.

    Attributes:
        problems: what is damaged or missing.
        notes: what is no damage, but worth knowing.
    """

    n_files: int = 0
    size: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_store(folder: Path, progress: Progress = SILENT) -> Findings:
    """Read every byte of a store and compare it with the manifest.

    Args:
        folder: the store.
        progress: gets a task "verifying", in files.

    Raises:
        SaecliError: if it is no store.
    """
    found = Findings()
    try:
        manifest = read_manifest(folder)
    except SaecliError as error:
        if not is_store(folder):
            raise
        found.problems.append(error.problem)
        return found
    recipe = manifest.recipe
    shards = list(manifest.shards) if manifest.complete else _begun(folder, recipe, found)
    hashes: list[str] = []
    total = sum(len(shard.files) for shard in shards)
    with progress.task("verifying", total, "files") as task:
        for shard in shards:
            for file in shard.files:
                _verify_file(folder, recipe, shard, file, found)
                task.advance(1)
            hashes += _hashes(folder, shard, found)
    _check_pictures(manifest, hashes, found)
    left = [path for path in sorted(folder.rglob(".*")) if path.is_file()]
    found.notes += [f"{path} was left by an interrupted run and may be deleted" for path in left]
    return found


def verify_cache(folder: Path, progress: Progress = SILENT) -> Findings:
    """Read every recording of a cache folder and compare it with its checksum."""
    found = Findings()
    paths = sorted(folder.glob(f"*{store.SUFFIX}"))
    with progress.task("verifying", len(paths), "files") as task:
        for path in paths:
            try:
                store.verify(path)
            except SaecliError as error:
                found.problems.append(f"{error.problem} (delete it: it is recorded anew)")
            found.n_files += 1
            found.size += path.stat().st_size
            task.advance(1)
    return found


def _begun(folder: Path, recipe: Recipe, found: Findings) -> list[Shard]:
    shards = []
    for number in range(recipe.n_shards):
        try:
            shard = read_shard(folder, number)
        except SaecliError as error:
            found.problems.append(error.problem)
            continue
        if shard is not None:
            shards.append(shard)
    found.notes.append(
        f"unfinished: {len(shards)} of {recipe.n_shards} shards are recorded; the saecli record "
        "that began it goes on"
    )
    return shards


def _verify_file(
    folder: Path, recipe: Recipe, shard: Shard, file: StoredFile, found: Findings
) -> None:
    path = folder / file.path
    layer = file.path.removeprefix("layer-").partition("/")[0]
    try:
        size = path.stat().st_size
        if size != file.size:
            found.problems.append(f"'{path}' is {size:,} bytes long, not {file.size:,}")
            return
        digest = hashlib.sha256()
        with path.open("rb") as opened:
            if layer.isdigit() and not _fits(read_header(opened), recipe, shard, int(layer)):
                found.problems.append(f"'{path}' holds other activations than its name says")
            while chunk := opened.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        found.problems.append(f"'{path}' can't be read ({error.strerror or error})")
        return
    except ValueError:
        found.problems.append(f"the header of '{path}' is damaged")
        return
    if digest.hexdigest() != file.sha256:
        found.problems.append(f"'{path}' is damaged: its bytes aren't those that were written")
    found.n_files += 1
    found.size += size


def _fits(header: dict[str, object], recipe: Recipe, shard: Shard, layer: int) -> bool:
    backbone = recipe.backbone
    shape = [shard.n_images, backbone.grid.n_patches, backbone.d_model]
    dtype = getattr(torch, recipe.dtype)
    n_bytes = shape[0] * shape[1] * shape[2] * dtype.itemsize
    return header == {
        "__metadata__": header_of(recipe, layer, shard.number),
        "activations": {
            "dtype": CODES[dtype],
            "shape": shape,
            "data_offsets": [0, n_bytes],
        },
    }


def _hashes(folder: Path, shard: Shard, found: Findings) -> list[str]:
    try:
        pictures, _ = read_pictures(folder, shard)
    except SaecliError as error:
        if not any(shard.files[-1].path in problem for problem in found.problems):
            found.problems.append(error.problem)
        return []
    return [one.sha256 for one in pictures]


def _check_pictures(manifest: Manifest, hashes: list[str], found: Findings) -> None:
    if not manifest.complete or found.problems:
        return
    if manifest.pictures != fingerprint_of("pictures", hashes):
        found.problems.append("the list of pictures isn't the one that the manifest names")
