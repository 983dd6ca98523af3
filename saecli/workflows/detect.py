"""Which latents detect a concept, by masks or by pictures with and without it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.images import record_image_set
from saecli.catalog.invocations import Invocation
from saecli.catalog.labels import current_labels
from saecli.catalog.observations import add_selection
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.images.sources import ImageSource
from saecli.progress import Progress
from saecli.records import DetectedLatent, DetectReport
from saecli.refs import latent_ref
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import open_pictures
from saecli.workflows.subjects import Masks, Subjects, pixel_loader, read_subjects

if TYPE_CHECKING:
    from torch import Tensor

    from saecli.backbones.protocol import Backbone
    from saecli.experiments.detection import Detection
    from saecli.images.sources import ImageFile

BATCH = 32  # pictures to a forward pass


@dataclass(frozen=True)
class Examples:
    """Pictures with the truth about them: of each patch (masks), or of each picture."""

    subjects: Subjects
    masks: Masks | None
    positive: NDArray[np.bool_] | None  # (n_images,), without masks
    name: str


def by_masks(
    images: str,
    masks: Path | None,
    class_name: str,
    n_images: int | None,
    progress: Progress,
) -> Examples:
    """Patches at least half covered by the class, against the other labelled ones.

    Raises:
        SaecliError: if there are no masks, or they don't have the class.
    """
    source = open_pictures(images, progress, n_images=n_images)
    found = Masks.find(source, masks)
    if found is None:
        raise SaecliError(
            f"there are no masks beside '{images}'",
            "give --masks, or --positives and --negatives",
            usage=True,
        )
    found.index(class_name)
    subjects = read_subjects(source, source.files, progress)
    return Examples(subjects, found, None, class_name)


def by_folders(
    positives: str, negatives: str, n_images: int | None, progress: Progress
) -> Examples:
    """Pictures of one set against those of another."""
    sources = [open_pictures(spec, progress, n_images=n_images) for spec in (positives, negatives)]
    files: list[ImageFile] = []
    shows: dict[Path, bool] = {}
    for source, shown in zip(sources, (True, False), strict=True):
        for file in source.files:
            files.append(replace(file, name=f"{source.root.name}/{file.name}"))
            shows[file.path] = shown
    both = ImageSource(f"{positives} against {negatives}", sources[0].root.parent, tuple(files))
    subjects = read_subjects(both, files, progress)
    positive = np.array([shows[file.path] for file in subjects.files], dtype=bool)
    return Examples(subjects, None, positive, Path(positives).name)


def detect_latents(
    catalog: Catalog,
    invocation: Invocation,
    dictionary_name: str,
    examples: Examples,
    *,
    top: int,
    device: str,
    progress: Progress,
) -> DetectReport:
    """Rank a dictionary's latents by how well they detect a concept, and record the choice.

    Raises:
        SaecliError: if there is no such dictionary, or no positive or negative example.
    """
    with catalog.reading() as session:
        info = get_dictionary(session, dictionary_name)
    backbone = backbone_of(info, progress, device=device)
    found = _score(catalog, info, backbone, examples, progress)
    order = [int(latent) for latent in found.ranked()[:top]]
    subjects = examples.subjects
    image_set = record_image_set(
        catalog,
        invocation.id,
        name=subjects.source.spec,
        root=str(subjects.source.root),
        pictures=subjects.pictures(),
        skipped=[(one.name, one.reason) for one in subjects.skipped],
    )
    with catalog.writing() as session:
        add_selection(
            session,
            invocation.id,
            kind="detect",
            dictionary=info,
            image_set=image_set,
            class_name=examples.name,
            latents=[
                (i, {"f1": float(found.f1[i]), "auroc": float(found.auroc[i])}) for i in order
            ],
        )
    with catalog.reading() as session:
        labels = current_labels(session, info, order)
    return DetectReport(
        dictionary=info.name,
        class_=examples.name,
        n_images=len(subjects),
        n_positive=found.n_positive,
        n_negative=found.n_negative,
        latents=[
            DetectedLatent(
                ref=latent_ref(info.name, i),
                f1=float(found.f1[i]),
                precision=float(found.precision[i]),
                recall=float(found.recall[i]),
                auroc=float(found.auroc[i]),
                threshold=float(found.threshold[i]),
                label=labels.get(i),
            )
            for i in order
        ],
    )


def _score(
    catalog: Catalog,
    info: DictionaryInfo,
    backbone: "Backbone",
    examples: Examples,
    progress: Progress,
) -> "Detection":
    from saecli.experiments.detection import detect_images, detect_patches
    from saecli.experiments.margins import target_patches

    dictionary = load_dictionary(catalog, info, str(backbone.device))
    dictionary.check_fits(backbone)
    files = examples.subjects.files
    masks, positive = examples.masks, examples.positive
    with progress.task("detecting", len(files), "images") as task:

        def patches() -> "Iterator[tuple[Tensor, Sequence[int]]]":
            load = pixel_loader(backbone, files)
            for start in range(0, len(files), BATCH):
                places = np.arange(start, min(start + BATCH, len(files)))
                yield backbone.record(load(places), info.layer).patches, places.tolist()
                task.advance(len(places))

        if masks is not None:
            at = masks.index(examples.name)
            return detect_patches(
                dictionary,
                (
                    (
                        x,
                        *target_patches(
                            masks.shares(backbone, [files[i] for i in places]),
                            at,
                            masks.unlabelled,
                        ),
                    )
                    for x, places in patches()
                ),
            )
        assert positive is not None
        return detect_images(dictionary, ((x, positive[places]) for x, places in patches()))
