"""Pictures of the built-in world as ordinary files: PNGs, masks, labels and the truth."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saecli.demo.world import CLASSES, WORLD_VERSION, Picture, render
from saecli.errors import SaecliError, one_of
from saecli.progress import SILENT, Progress

MASKS = "masks"
_RUN_LENGTHS = 3
"""zlib's strategy Z_RLE."""


@dataclass(frozen=True)
class BuiltInSet:
    """A set of pictures that every installation draws alike.

    Attributes:
        n: how many pictures.
        seed: of the world; the built-in backbones never learnt from these seeds.
    """

    n: int
    seed: int


BUILT_IN_SETS: dict[str, BuiltInSet] = {
    "train": BuiltInSet(n=4_000, seed=1),
    "test": BuiltInSet(n=2_000, seed=2),
}
"""The sets that `fieldguide:train` and `fieldguide:test` name."""


def write_pictures(
    folder: Path,
    n: int,
    seed: int,
    *,
    kind: str | None = None,
    species: str | None = None,
    concept: str | None = None,
    counterfactual: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
) -> int:
    """Write pictures of a seed with their masks and everything that is true of them.

    The folder gets `000000.png`, …, `masks/000000.png`, … (8-bit class indices),
    `masks/classes.txt` (a class a line, by index), `truth.jsonl` (an object a picture) and
    `labels.csv` (species, concept or habitat; a bird of no species has no label). It appears
    whole or not at all.

    Args:
        folder: a new or empty folder; its parents are made.
        n: how many pictures, from index 0 of the seed.
        seed: of the world, 0 or more.
        kind: only birds, landscapes or postcards.
        species: only this species of bird.
        concept: only postcards of this concept.
        counterfactual: attributes to swap in every picture (see `render`); a picture keeps
            the stem that it has without.
        progress: where the step is announced.

    Returns:
        The number of pictures written.

    Raises:
        SaecliError: if the folder holds files already, n is below 1, or a name is unknown.
        OSError: if the files can't be written.
    """
    if n < 1:
        raise SaecliError(f"{n} pictures can't be drawn", "ask for at least one", usage=True)
    if _is_taken(folder):
        raise SaecliError(
            f"{folder} holds files already", "name a new or an empty folder", usage=True
        )

    def draw(index: int) -> Picture:
        return render(
            seed, index, kind=kind, species=species, concept=concept, counterfactual=counterfactual
        )

    if not _write_whole(folder, n, draw, progress):
        raise SaecliError(
            f"{folder} was filled by another command meanwhile", "name another folder"
        )
    return n


def materialise(cache_root: Path, split: str, progress: Progress = SILENT) -> Path:
    """The folder of a built-in set, drawn when it is first asked for.

    Two processes may ask at once: each draws the whole set, the first to finish keeps its.

    Args:
        cache_root: the folder for what can be made again.
        split: a name in `BUILT_IN_SETS`.
        progress: where the step is announced.

    Returns:
        `<cache_root>/fieldguide/<world version>/<split>`, complete.

    Raises:
        SaecliError: if there is no such set.
        OSError: if the files can't be written.
    """
    if split not in BUILT_IN_SETS:
        raise SaecliError(
            f"the built-in world has no set '{split}'",
            f"use {one_of(BUILT_IN_SETS, split)}",
            usage=True,
        )
    folder = cache_root / "fieldguide" / WORLD_VERSION / split
    chosen = BUILT_IN_SETS[split]
    if not _is_taken(folder):
        _write_whole(folder, chosen.n, lambda index: render(chosen.seed, index), progress)
    return folder


def _is_taken(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _write_whole(folder: Path, n: int, draw: Callable[[int], Picture], progress: Progress) -> bool:
    """Write beside the folder, then rename; False if another process was faster."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _write_files(unfinished, n, draw, progress)
        unfinished.chmod(0o777 & ~_umask())
        return _put_in_place(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _put_in_place(unfinished: Path, folder: Path) -> bool:
    try:
        if folder.is_dir():
            folder.rmdir()
        unfinished.rename(folder)
    except OSError:
        if _is_taken(folder):
            return False
        raise
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_files(folder: Path, n: int, draw: Callable[[int], Picture], progress: Progress) -> None:
    masks = folder / MASKS
    masks.mkdir()
    (masks / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    labels: list[tuple[str, str]] = []
    with (
        (folder / "truth.jsonl").open("w", encoding="utf-8") as truth,
        progress.task("drawing", n, "pictures") as task,
    ):
        for index in range(n):
            picture, name = draw(index), f"{index:06d}.png"
            _save_png(picture.image, folder / name)
            _save_png(picture.mask, masks / name)
            truth.write(json.dumps(_facts(picture, name), ensure_ascii=False) + "\n")
            label = picture.species or picture.concept
            if picture.kind == "landscape":
                label = picture.habitat
            if label is not None:
                labels.append((name, label))
            task.advance()
    if labels:
        with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("file", "label"), *labels])


def _save_png(pixels: NDArray[np.uint8], file: Path) -> None:
    # Run lengths alone: faster than the usual search, and noise doesn't get smaller by it.
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG", compress_level=1, compress_type=_RUN_LENGTHS)
    file.write_bytes(encoded.getvalue())


def _facts(picture: Picture, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "kind": picture.kind,
        "species": picture.species,
        "caption": picture.caption,
        "habitat": picture.habitat,
        "attributes": picture.attributes,
        "mask": f"{MASKS}/{name}",
        "concept": picture.concept,
        "symbol": picture.symbol,
        "style": picture.style,
    }
