"""Which latents the margin of a class rests on, by attribution; recorded as a selection."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.images import Picture, record_image_set
from saecli.catalog.invocations import Invocation
from saecli.catalog.latents import summaries
from saecli.catalog.observations import add_selection
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import get_probe, read_probe
from saecli.errors import SaecliError
from saecli.images.sources import ImageSource
from saecli.progress import Progress
from saecli.records import AttributedLatent, AttributeReport
from saecli.refs import latent_ref
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import open_pictures, stored_root
from saecli.workflows.subjects import (
    Masks,
    Subjects,
    class_index,
    pixel_loader,
    read_subjects,
    with_class,
)
from saecli.workflows.twins import find_twins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from saecli.backbones.protocol import Backbone, LayerOutput
    from saecli.images.sources import ImageFile
    from saecli.progress import Task

BATCH = 32  # pictures to a backward pass
FEW = 5  # below so many a mean over pictures says little of the class


def attribute_latents(
    catalog: Catalog,
    invocation: Invocation,
    dictionary_name: str,
    images: str,
    probe_name: str,
    class_name: str,
    *,
    against: str | None,
    masks: Path | None,
    twins: Path | None,
    top: int,
    n_images: int | None,
    device: str,
    progress: Progress,
) -> AttributeReport:
    """Rank a dictionary's latents by their attribution to the margin of a class.

    Raises:
        SaecliError: if a name is unknown, no picture shows the class, or a twin is missing.
    """
    from saecli.experiments.activity import measure
    from saecli.experiments.attribution import attribute, twin_loss
    from saecli.experiments.margins import Contrast, target_patches
    from saecli.experiments.probes import Probe
    from saecli.experiments.runner import Bench

    with catalog.reading() as session:
        info = get_dictionary(session, dictionary_name)
        probe_row = get_probe(session, probe_name)
        probe = Probe.from_bytes(read_probe(session, probe_row))
    a = class_index(probe, class_name)
    b = None if against is None else class_index(probe, against)
    source = open_pictures(images, progress, n_images=n_images)
    backbone = backbone_of(info, progress, device=device)
    probe = probe.to(backbone.device)
    dictionary = load_dictionary(catalog, info, str(backbone.device))
    bench = Bench(backbone, dictionary, probe, Contrast(a, b))
    bench.check()
    segmentation = probe.task == "segmentation"
    found_masks = Masks.find(source, masks) if segmentation else None
    chosen, _, _ = with_class(backbone, probe, a, source, found_masks, progress)
    subjects = read_subjects(source, chosen, progress)
    if len(subjects) < FEW:
        progress.say(
            f"the ranking is a mean over no more than {len(subjects)} of the pictures, and may "
            f"rest on what else they show; {FEW} or more tell more"
        )
    twin_files = None if twins is None else find_twins(twins, subjects.files)
    targets: NDArray[np.bool_] | None = None
    if found_masks is not None:
        shares = found_masks.shares(backbone, subjects.files)
        targets, _ = target_patches(shares, found_masks.index(class_name), found_masks.unlabelled)

    def batches() -> "Iterator[tuple[LayerOutput, NDArray[np.bool_] | None]]":
        for places, output in _recorded(backbone, subjects.files, info.layer):
            yield output, None if targets is None else targets[places]

    with progress.task("attributing", len(subjects), "images") as task:
        result = attribute(bench, _counted(batches(), task))
    loss = None
    if twin_files is not None:
        originals, edited = (
            measure(dictionary, (o.patches for _, o in _recorded(backbone, files, info.layer)))
            for files in (subjects.files, twin_files)
        )
        loss = twin_loss(originals, edited)
    order = [int(i) for i in result.ranked()[:top] if result.values[i] < 0]
    return _keep(
        catalog,
        invocation,
        subjects,
        dictionary_name,
        probe_row.id,
        class_name,
        against,
        [(i, float(result.values[i]), None if loss is None else float(loss[i])) for i in order],
        result.n_images,
        _pictures_of(twins, twin_files, progress),
    )


def _pictures_of(
    folder: Path | None, files: "tuple[ImageFile, ...] | None", progress: Progress
) -> list[Picture]:
    """Twins as the catalog takes them: they helped to choose the latents, too."""
    if folder is None or files is None:
        return []
    source = ImageSource(str(folder), folder, files)
    return [
        replace(picture, name=f"twins/{picture.name}", label=None)
        for picture in read_subjects(source, files, progress).pictures()
    ]


def _recorded(
    backbone: "Backbone", files: "tuple[ImageFile, ...]", layer: int
) -> "Iterator[tuple[NDArray[np.int64], LayerOutput]]":
    load = pixel_loader(backbone, files)
    for start in range(0, len(files), BATCH):
        places = np.arange(start, min(start + BATCH, len(files)))
        yield places, backbone.record(load(places), layer)


def _counted(
    batches: "Iterator[tuple[LayerOutput, NDArray[np.bool_] | None]]", task: "Task"
) -> "Iterator[tuple[LayerOutput, NDArray[np.bool_] | None]]":
    for output, target in batches:
        yield output, target
        task.advance(len(output.tokens))


def _keep(
    catalog: Catalog,
    invocation: Invocation,
    subjects: Subjects,
    dictionary_name: str,
    probe_id: int,
    class_name: str,
    against: str | None,
    ranked: list[tuple[int, float, float | None]],
    n_images: int,
    twins: list[Picture],
) -> AttributeReport:
    if not ranked:
        raise SaecliError(
            f"no latent speaks for '{class_name}' on these pictures",
            "check that the probe tells the class apart there (saecli probe list)",
        )
    image_set = record_image_set(
        catalog,
        invocation.id,
        name=f"{subjects.source.spec} ({class_name})",
        root=stored_root(subjects.source),
        pictures=[*subjects.pictures(), *twins],
        skipped=[(one.name, one.reason) for one in subjects.skipped],
    )
    with catalog.reading() as session:
        info = get_dictionary(session, dictionary_name)
        known = summaries(session, info, [index for index, _, _ in ranked])
    with catalog.writing() as session:
        add_selection(
            session,
            invocation.id,
            kind="attribute",
            dictionary=info,
            image_set=image_set,
            class_name=class_name,
            against=against,
            probe_id=probe_id,
            latents=[
                (index, {"attribution": value, "twin_loss": lost}) for index, value, lost in ranked
            ],
        )
    return AttributeReport(
        class_=class_name,
        against=against,
        n_images=n_images,
        latents=[
            AttributedLatent(
                ref=latent_ref(info.name, index),
                attribution=value,
                twin_loss=lost,
                density=known[index].density,
                label=known[index].label,
            )
            for index, value, lost in ranked
        ],
    )
