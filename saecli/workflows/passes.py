"""A pass of dictionaries over activations that can be taken up again where it was broken off."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.errors import Interrupted
from saecli.progress import Progress

if TYPE_CHECKING:
    from saecli.activations.processes import Processes
    from saecli.activations.source import Source
    from saecli.images.sources import ImageSource
    from saecli.profiling.parts import Part
    from saecli.profiling.profiler import ProfileSettings
    from saecli.sae.model import Dictionary

FOLDER = "profiling"  # below the catalog's folder
FIRST_SECONDS = 60.0
"""A pass is kept from then on; a shorter one is as quickly done again."""
SHARE = 0.02
"""Of its time that a pass may spend on being kept."""


def class_names(source: "ImageSource") -> list[str]:
    """The classes of a set's pictures, in the order of their numbers."""
    return sorted({file.label for file in source.files if file.label is not None})


def go_through(
    infos: Sequence[DictionaryInfo],
    dictionaries: "Sequence[Dictionary]",
    activations: "Source",
    source: "ImageSource",
    settings: "ProfileSettings",
    progress: Progress,
    here: "Processes | None" = None,
    *,
    folder: Path | None = None,
) -> "list[Part]":
    """Gather over this process's images what a profile is made of, for several dictionaries.

    Args:
        infos: the dictionaries, as the catalog has them.
        dictionaries: the same, of one backbone and layer; one alone where processes share.
        activations: of that layer.
        source: of the pictures; it knows their classes, which count where the activations are
            recorded: of streamed ones it isn't known beforehand which are broken.
        settings: what is kept.
        progress: told of each batch, and of a pass that goes on.
        here: this process among those that share the images; all of them where None.
        folder: where the pass is kept meanwhile; None keeps none. Only activations that are
            recorded can be taken up in the middle; streamed ones start anew.

    Raises:
        Interrupted: if the user stops a pass that is kept.
    """
    import torch

    from saecli.profiling.parts import Part, gather, share_of

    n_images = activations.n_images
    rank, size = (0, 1) if here is None else (here.rank, here.size)
    run = share_of(dictionaries[0], n_images, rank, size)
    recorded = len(activations.images) == n_images
    classes = _classes(activations, source) if recorded else None
    parts = [Part.begin(one, n_images, settings, run.start, classes) for one in dictionaries]
    draft = None
    if folder is not None and recorded:
        draft = _Draft(folder / _name(infos, activations, settings, rank, size))
        if draft.restore(parts):
            progress.say(f"goes on behind {min(part.n_images for part in parts):,} pictures")
    start = run.start + min(part.n_images for part in parts)
    whole = start == 0 and run.stop == n_images
    batches = activations.batches(images=None if whole else torch.arange(start, run.stop))
    try:
        return gather(
            dictionaries,
            ((start + before, batch) for before, batch in batches),
            n_images,
            settings,
            progress,
            run=run,
            parts=parts,
            kept=None if draft is None else draft.keep,
        )
    except KeyboardInterrupt:
        n_kept = 0 if draft is None else draft.n_images
        if not n_kept:
            raise
        raise Interrupted(
            f"interrupted; {n_kept:,} of {len(run):,} pictures are kept",
            "the same command goes on from there",
        ) from None


def forget(
    infos: Sequence[DictionaryInfo],
    activations: "Source",
    settings: "ProfileSettings",
    folder: Path,
    here: "Processes | None" = None,
) -> None:
    """Drop what was kept of a pass, of all processes: its profile is in the catalog."""
    for rank in range(1 if here is None else here.size):
        size = 1 if here is None else here.size
        (folder / _name(infos, activations, settings, rank, size)).unlink(missing_ok=True)


def _name(
    infos: Sequence[DictionaryInfo],
    activations: "Source",
    settings: "ProfileSettings",
    rank: int,
    size: int,
) -> str:
    """A file's name that says what a pass is of: another pass never goes on with it."""
    told = {
        "dictionaries": [info.sha256 for info in infos],
        "activations": activations.fingerprint,
        "n_images": activations.n_images,
        "settings": asdict(settings),
        "share": [rank, size],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32] + ".npz"


def _classes(activations: "Source", source: "ImageSource") -> NDArray[np.int64] | None:
    """(n_images,) each picture's class as a number, -1 for none; None where no class is known."""
    numbers = {name: number for number, name in enumerate(class_names(source))}
    if not numbers:
        return None
    labels = (source.files[index].label for index, _ in activations.images)
    found = (-1 if label is None else numbers[label] for label in labels)
    return np.fromiter(found, np.int64, count=activations.n_images)


class _Draft:
    """A file that holds what was gathered so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = time.monotonic() + FIRST_SECONDS
        self.n_images = 0

    def restore(self, parts: "Sequence[Part]") -> bool:
        """Put back what was kept; whether there was anything."""
        if not self._path.is_file():
            return False
        with np.load(self._path, allow_pickle=False) as found:
            for number, part in enumerate(parts):
                start = f"{number}:"
                names = [name for name in found.files if name.startswith(start)]
                part.restore({name.removeprefix(start): found[name] for name in names})
        self.n_images = min(part.n_images for part in parts)
        return True

    def keep(self, parts: "Sequence[Part]") -> None:
        """Write it, whole or not at all, if it is time."""
        began = time.monotonic()
        if began < self._next:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        states = {
            f"{number}:{name}": array
            for number, part in enumerate(parts)
            for name, array in part.state().items()
        }
        with written.open("wb") as file:
            np.savez(file, allow_pickle=False, **states)
        written.replace(self._path)
        self.n_images = min(part.n_images for part in parts)
        self._next = time.monotonic() + max(FIRST_SECONDS, (time.monotonic() - began) / SHARE)
