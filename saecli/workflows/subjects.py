"""The pictures that a selection or an experiment works on: read once, named in the catalog."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saecli.catalog.images import Picture
from saecli.errors import SaecliError, one_of
from saecli.images.decoding import UnreadableImage, content_hash, decode
from saecli.images.loading import ImageInfo, Skipped, load_batches
from saecli.images.sources import ImageFile, ImageSource, read_classes
from saecli.progress import Progress
from saecli.workflows.pictures import say_skipped, stored_path

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone
    from saecli.experiments.probes import Probe

BATCH = 32  # pictures to a forward pass
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

    def fresh(self, used: Collection[str]) -> "tuple[Subjects, int, int]":
        """Those not used before, each once.

        A picture that is there twice under two names would count as two in every interval.

        Args:
            used: SHA-256 of pictures that may not take part.

        Returns:
            the pictures, how many were used before, and how many copies of others were left out.
        """
        places: dict[str, int] = {}
        n_used = 0
        for place, info in enumerate(self.infos):
            if info.sha256 in used:
                n_used += 1
            else:
                places.setdefault(info.sha256, place)
        kept = self._at(list(places.values()))
        return kept, n_used, len(self) - n_used - len(kept)

    def only(self, wanted: Callable[[ImageFile], bool]) -> "Subjects":
        """Those of which something is true."""
        return self._at([place for place, file in enumerate(self.files) if wanted(file)])

    def _at(self, places: Sequence[int]) -> "Subjects":
        return Subjects(
            self.source,
            tuple(self.files[i] for i in places),
            tuple(self.infos[i] for i in places),
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
    if not files:
        return Subjects(source, (), (), ())
    skipped: list[Skipped] = []
    kept: list[ImageFile] = []
    infos: list[ImageInfo] = []
    with progress.task("reading", len(files), "images") as task:
        for batch in load_batches(files, lambda image: torch.zeros(1), on_skip=skipped.append):
            kept.extend(files[index] for index in batch.indices)
            infos.extend(batch.infos)
            task.advance(len(batch.indices))
    say_skipped(skipped, progress)
    return Subjects(source, tuple(kept), tuple(infos), tuple(skipped))


def draw_fresh(
    files: Sequence[ImageFile], used: Collection[str], most: int, seed: int
) -> list[ImageFile]:
    """At most so many pictures, drawn by the seed, none used before and none twice; in order.

    Args:
        used: SHA-256 of pictures that may not take part.
    """
    seen = set(used)
    drawn: list[int] = []
    for place in np.random.default_rng([seed, 3]).permutation(len(files)).tolist():
        if len(drawn) == most:
            break
        try:
            sha256 = content_hash(files[place].path)
        except UnreadableImage:
            continue
        if sha256 not in seen:
            seen.add(sha256)
            drawn.append(place)
    return [files[place] for place in sorted(drawn)]


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
        """The given folder's, or those that lie beside the pictures, or None.

        Raises:
            SaecliError: if their classes can't be read, or two pictures share a mask.
        """
        from saecli.images.masks import check_not_shared

        beside = source.root / MASKS
        if given is None and not (beside / "classes.txt").is_file():
            return None
        folder = given or beside
        check_not_shared(folder, source.files)
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
        return np.stack([self._share(backbone, file) for file in files])

    def show(self, backbone: "Backbone", file: ImageFile, name: str) -> bool:
        """Whether a class holds at least half of a patch of a picture."""
        from saecli.experiments.margins import HALF

        return bool((self._share(backbone, file)[:, self.index(name)] >= HALF).any())

    def _share(self, backbone: "Backbone", file: ImageFile) -> NDArray[np.float64]:
        from saecli.images.masks import mask_of

        n = len(self.classes)
        return backbone.geometry.patch_shares(mask_of(self.folder, file, n), n, backbone.grid)


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
) -> dict[int, NDArray[np.int64]]:
    """The probe's class of each picture (1,), or of each of its patches (P,), by its place.

    Pictures that can't be read are left out, and said to be.
    """
    last = backbone.n_blocks - 1
    found: dict[int, NDArray[np.int64]] = {}
    skipped: list[Skipped] = []
    with torch.no_grad(), progress.task("predicting", len(files), "images") as task:
        for batch in load_batches(
            files,
            backbone.preprocess,
            batch_size=BATCH,
            thumbnails=False,
            on_skip=skipped.append,
        ):
            final = backbone.resume(backbone.record(batch.pixels, last), last)
            classes = probe.logits(final).argmax(dim=-1).cpu().numpy()
            found.update(zip(batch.indices, classes.reshape(len(batch.indices), -1), strict=True))
            task.advance(len(batch.indices))
    say_skipped(skipped, progress)
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
    name, files = probe.classes[a], source.files
    labelled = any(file.label is not None for file in files)
    predicted = masks is None and (probe.task == "segmentation" or not labelled)
    if predicted:
        found = predicted_classes(backbone, probe, files, progress)
        shows = {place: bool((classes == a).any()) for place, classes in found.items()}
    elif masks is not None:
        shows = {place: masks.show(backbone, file, name) for place, file in enumerate(files)}
    else:
        shows = {
            place: file.label == name for place, file in enumerate(files) if file.label is not None
        }
    chosen = [files[place] for place, shown in sorted(shows.items()) if shown]
    rest = [files[place] for place, shown in sorted(shows.items()) if not shown]
    if not chosen:
        raise SaecliError(
            f"no picture of '{source.spec}' {'is predicted' if predicted else 'shows'} '{name}'",
            "name another class, or pictures that show it",
        )
    return chosen, rest, predicted
