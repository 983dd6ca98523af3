"""The pictures that a selection or an experiment works on: read once, named in the catalog."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saecli.catalog.images import Picture
from saecli.errors import SaecliError, one_of
from saecli.images.decoding import decode
from saecli.images.loading import ImageInfo, Skipped, load_batches
from saecli.images.sources import ImageFile, ImageSource, find_mask, read_classes
from saecli.progress import Progress
from saecli.workflows.pictures import stored_path

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone
    from saecli.experiments.probes import Probe

MASKS = "masks"  # the folder beside pictures where their masks are looked for


@dataclass(frozen=True)
class Subjects:
    """Readable pictures of a set, in its order.

    Attributes:
        source: the set they are of.
        files: the pictures.
        infos: what is known of each.
        skipped: those that could not be read.
    """

    source: ImageSource
    files: tuple[ImageFile, ...]
    infos: tuple[ImageInfo, ...]
    skipped: tuple[Skipped, ...]

    def __len__(self) -> int:
        return len(self.files)

    def keep(self, chosen: Sequence[int]) -> "Subjects":
        """Those at the given places only."""
        return Subjects(
            self.source,
            tuple(self.files[i] for i in chosen),
            tuple(self.infos[i] for i in chosen),
            self.skipped,
        )

    def pictures(self) -> list[Picture]:
        """As the catalog takes them."""
        return [
            Picture(
                name=file.name,
                path=stored_path(self.source, file),
                sha256=info.sha256,
                width=info.width,
                height=info.height,
                label=file.label,
                thumbnail=info.thumbnail,
            )
            for file, info in zip(self.files, self.infos, strict=True)
        ]


def read_subjects(source: ImageSource, files: Sequence[ImageFile], progress: Progress) -> Subjects:
    """Hash and decode pictures, leaving out those that can't be read."""
    skipped: list[Skipped] = []
    kept: list[ImageFile] = []
    infos: list[ImageInfo] = []
    with progress.task("reading", len(files), "images") as task:
        for batch in load_batches(files, lambda image: torch.zeros(1), on_skip=skipped.append):
            kept.extend(files[index] for index in batch.indices)
            infos.extend(batch.infos)
            task.advance(len(batch.indices))
    return Subjects(source, tuple(kept), tuple(infos), tuple(skipped))


def pixel_loader(
    backbone: "Backbone", files: Sequence[ImageFile]
) -> Callable[[NDArray[np.int64]], Tensor]:
    """Gives the pixels (b, 3, H, W) of the pictures at some places."""

    def load(places: NDArray[np.int64]) -> Tensor:
        return torch.stack([backbone.preprocess(decode(files[int(i)].path)) for i in places])

    return load


@dataclass(frozen=True)
class Masks:
    """Masks of a set's pictures."""

    folder: Path
    classes: tuple[str, ...]

    @classmethod
    def find(cls, source: ImageSource, given: Path | None) -> "Masks | None":
        """The given folder's, or those that lie beside the pictures, or None."""
        beside = source.root / MASKS
        if given is None and not (beside / "classes.txt").is_file():
            return None
        folder = given or beside
        return cls(folder, tuple(read_classes(folder)))

    @property
    def unlabelled(self) -> int | None:
        """The index of the class that takes part in nothing, if the masks have one."""
        return self.classes.index("unlabelled") if "unlabelled" in self.classes else None

    def index(self, name: str) -> int:
        """A class's index.

        Raises:
            SaecliError: if the masks don't have it.
        """
        if name not in self.classes or name == "unlabelled":
            raise SaecliError(
                f"the masks in '{self.folder}' have no class '{name}'",
                f"name {one_of(self.classes, name)}",
            )
        return self.classes.index(name)

    def shares(self, backbone: "Backbone", files: Sequence[ImageFile]) -> NDArray[np.float64]:
        """(n_images, P, n_classes): the share of each class in each patch."""
        from saecli.images.masks import read_mask

        n = len(self.classes)
        found = [
            backbone.geometry.patch_shares(
                read_mask(find_mask(self.folder, file), n), n, backbone.grid
            )
            for file in files
        ]
        return np.stack(found)


def class_index(probe: "Probe", name: str) -> int:
    """A class's place among a probe's.

    Raises:
        SaecliError: if the probe doesn't know it; the nearest names are offered.
    """
    if name not in probe.classes:
        raise SaecliError(
            f"the probe knows no class '{name}'", f"name {one_of(probe.classes, name)}"
        )
    return probe.classes.index(name)


def predicted_classes(
    backbone: "Backbone", probe: "Probe", files: Sequence[ImageFile], progress: Progress
) -> list[NDArray[np.int64]]:
    """The probe's class of each picture (1,), or of each of its patches (P,)."""
    last = backbone.n_blocks - 1
    load = pixel_loader(backbone, files)
    found: list[NDArray[np.int64]] = []
    with torch.no_grad(), progress.task("predicting", len(files), "images") as task:
        for start in range(0, len(files), 32):
            places = np.arange(start, min(start + 32, len(files)))
            final = backbone.resume(backbone.record(load(places), last), last)
            classes = probe.logits(final).argmax(dim=-1).cpu().numpy()
            found.extend(classes.reshape(len(places), -1))
            task.advance(len(places))
    return found


def with_class(
    backbone: "Backbone",
    probe: "Probe",
    a: int,
    source: ImageSource,
    masks: Masks | None,
    progress: Progress,
) -> tuple[list[ImageFile], list[ImageFile], bool]:
    """The pictures of class A and those without: by labels or masks, else as predicted.

    Returns:
        pictures with A, pictures known to be without, and whether that is the probe's prediction.

    Raises:
        SaecliError: if none has the class.
    """
    from saecli.experiments.margins import HALF

    name = probe.classes[a]
    if probe.task == "segmentation":
        if masks is not None:
            at = masks.index(name)
            shares = masks.shares(backbone, source.files)[..., at]
            shows = [bool((part >= HALF).any()) for part in shares]
        else:
            shows = [
                bool((classes == a).any())
                for classes in predicted_classes(backbone, probe, source.files, progress)
            ]
        predicted = masks is None
    elif any(file.label is not None for file in source.files):
        shows = [file.label == name for file in source.files]
        predicted = False
    else:
        shows = [
            bool(classes[0] == a)
            for classes in predicted_classes(backbone, probe, source.files, progress)
        ]
        predicted = True
    chosen = [file for file, shown in zip(source.files, shows, strict=True) if shown]
    rest = [
        file
        for file, shown in zip(source.files, shows, strict=True)
        if not shown and (predicted or file.label is not None or probe.task == "segmentation")
    ]
    if not chosen:
        raise SaecliError(
            f"no picture of '{source.spec}' {'is predicted' if predicted else 'shows'} '{name}'",
            "name another class, or pictures that show it",
        )
    return chosen, rest, predicted
