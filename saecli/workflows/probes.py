"""Train a probe, score it on held-out pictures, keep it in the catalog."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.backbones import BackboneInfo
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import add_probe, find_probe
from saecli.errors import SaecliError
from saecli.images.ade20k import UNLABELLED
from saecli.images.sources import ImageFile, read_classes
from saecli.progress import SILENT, Progress, Task
from saecli.records import ProbeGridPoint, ProbeReport, as_json
from saecli.workflows.probe_orders import ProbeOrder, wanted_classes

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone
    from saecli.experiments.probe_training import ProbeSettings, TrainedProbe
    from saecli.experiments.probes import Probe, Reads
    from saecli.experiments.scores import Confusion
    from saecli.workflows.features import Features

PATCHES = "activations"  # below the catalog's folder: where the patches of a large set may lie


@dataclass(frozen=True)
class Scored:
    """A probe with what it was trained and tested on; ``trained`` is None for a zero-shot one."""

    probe: "Probe"
    confusion: "Confusion"
    n_train: int
    n_test: int
    trained: "TrainedProbe | None" = None

    @classmethod
    def of(cls, trained: "TrainedProbe") -> "Scored":
        """A trained head with its held-out scores."""
        n_train, n_test = len(trained.train), len(trained.test)
        return cls(trained.probe, trained.confusion, n_train, n_test, trained)


def default_reads(backbone: "Backbone") -> "Reads":
    """What a linear classifier reads: the class token for CLIP, DINOv2's usual input for it."""
    return "cls" if backbone.family == "clip" else "cls+mean_patches"


def train_classifier(
    backbone: "Backbone",
    files: Sequence[ImageFile],
    features: "Features",
    reads: "Reads",
    settings: "ProbeSettings",
    *,
    classes: Sequence[str] | None = None,
    progress: Progress = SILENT,
) -> Scored:
    """Fit a linear classifier on features of labelled pictures; classes are sorted by default."""
    from saecli.experiments.probe_training import train_classification

    labels = [str(files[index].label) for index, _ in features.images]
    classes = list(classes or sorted(set(labels)))
    with _fitting(settings, progress) as task:
        trained = train_classification(
            features.inputs[reads],
            np.array([classes.index(label) for label in labels]),
            classes,
            reads=reads,
            backbone_digest=backbone.digest,
            settings=settings,
            device=backbone.device.type,
            on_step=task.advance,
        )
    return Scored.of(trained)


def score_zero_shot(
    backbone: "Backbone",
    classes: Sequence[str],
    templates: Sequence[str],
    files: Sequence[ImageFile],
    features: "Features | None",
) -> Scored:
    """Make a zero-shot probe of class names and score it on labelled pictures, if there are any."""
    from saecli.experiments.probe_training import score
    from saecli.experiments.scores import Confusion
    from saecli.experiments.zero_shot import zero_shot

    probe = zero_shot(backbone, classes, logit_scale=backbone.logit_scale, templates=templates)
    if features is None:
        empty: NDArray[np.int64] = np.zeros((len(classes), len(classes)), dtype=np.int64)
        return Scored(probe, Confusion(empty), 0, 0)
    place = {name: number for number, name in enumerate(classes)}
    truth = np.array([place.get(str(files[index].label), -1) for index, _ in features.images])
    confusion = score(probe, features.inputs["embedding"], truth)
    return Scored(probe, confusion, 0, int((truth >= 0).sum()))


def train_segmenter(
    backbone: "Backbone",
    files: Sequence[ImageFile],
    masks: Path,
    features: "Features",
    settings: "ProbeSettings",
    *,
    classes: Sequence[str] | None = None,
    held_out: Sequence[ImageFile] = (),
    held_out_masks: Path | None = None,
    progress: Progress = SILENT,
) -> Scored:
    """Fit a per-patch classifier on masks; only ``classes`` count, where they are given.

    Args:
        features: of the files, those to train on before the ones held out.
    """
    from saecli.experiments.probe_training import train_segmentation

    named = read_classes(masks)
    chosen = wanted_classes(named, classes)
    kept = [index for index, _ in features.images]
    first = [files[index] for index in kept if index < len(files)]
    last = [held_out[index - len(files)] for index in kept if index >= len(files)]
    labels = patch_labels(backbone, first, masks, named)
    if held_out_masks is not None and last:
        labels = np.concatenate([labels, patch_labels(backbone, last, held_out_masks, named)])
    place = np.full(len(named) + 1, -1)
    place[[named.index(name) for name in chosen]] = np.arange(len(chosen))
    with _fitting(settings, progress) as task:
        trained = train_segmentation(
            features.inputs["patches"],
            place[labels],
            chosen,
            backbone_digest=backbone.digest,
            settings=settings,
            held_out=np.arange(len(first), len(kept)) if held_out else None,
            device=backbone.device.type,
            on_step=task.advance,
        )
    return Scored.of(trained)


def _fitting(settings: "ProbeSettings", progress: Progress) -> AbstractContextManager[Task]:
    """The bar of the fit; the exact solver takes seconds and shows none."""
    if settings.solver != "adamw":
        return SILENT.task("fitting", None, "steps")
    return progress.task("training the heads", settings.steps, "steps")


def patch_labels(
    backbone: "Backbone", files: Sequence[ImageFile], masks: Path, classes: Sequence[str]
) -> NDArray[np.int64]:
    """(n_images, P): the class that covers at least half of each patch, -1 where none does."""
    from saecli.experiments import margins
    from saecli.images.masks import mask_of

    unlabelled = classes.index(UNLABELLED) if UNLABELLED in classes else None
    rows = []
    for file in files:
        mask = mask_of(masks, file, len(classes))
        shares = backbone.geometry.patch_shares(mask, len(classes), backbone.grid)
        rows.append(margins.patch_labels(shares, unlabelled))
    return np.stack(rows)


def keep_probe(
    catalog: Catalog,
    invocation: Invocation,
    name: str,
    backbone: BackboneInfo,
    scored: Scored,
    settings: Mapping[str, Any],
    *,
    replace: bool = False,
) -> ProbeReport:
    """Write a probe with its scores."""
    probe, trained = scored.probe, scored.trained
    accuracy = scored.confusion.accuracy
    grid = [ProbeGridPoint(**asdict(point)) for point in trained.grid] if trained else []
    report = ProbeReport(
        name=name,
        task=probe.task,
        classes=list(probe.classes),
        n_train=scored.n_train,
        n_test=scored.n_test,
        accuracy=accuracy,
        mean_iou=scored.confusion.mean_iou if probe.task == "segmentation" else None,
        solver=str(settings["solver"]) if trained else None,
        learning_rate=trained.learning_rate if trained else None,
        weight_decay=trained.weight_decay if trained else None,
        grid=grid,
    )
    found = {"learning_rate": report.learning_rate, "weight_decay": report.weight_decay}
    with catalog.writing() as session:
        add_probe(
            session,
            invocation.id,
            name=name,
            backbone=backbone,
            task=probe.task,
            classes=list(probe.classes),
            artifact=store_artifact(session, invocation.id, probe.to_bytes(), "probe"),
            settings={**settings, **found, "grid": as_json(grid)},
            n_train=scored.n_train,
            n_test=scored.n_test,
            accuracy=None if scored.n_test == 0 else accuracy,
            mean_iou=report.mean_iou,
            replace=replace,
        )
    return report


def check_probe_name(catalog: Catalog, name: str) -> None:
    """Refuse a name that is taken, before any work is done.

    Raises:
        SaecliError: if it is.
    """
    with catalog.reading() as session:
        if find_probe(session, name) is not None:
            raise SaecliError(
                f"{catalog.name} has a probe '{name}' already", "choose another --name"
            )


def train_probe(
    catalog: Catalog,
    invocation: Invocation,
    name: str,
    backbone: "Backbone",
    row: BackboneInfo,
    order: ProbeOrder,
    settings: "ProbeSettings",
    progress: Progress,
) -> ProbeReport:
    """Train and keep the probe that was ordered.

    Raises:
        SaecliError: if too few pictures can be read, or a mask is none.
    """
    from saecli.workflows.features import final_features

    reads: Reads = "patches"
    if order.task != "segmentation":
        reads = "embedding" if order.task == "zero_shot" else default_reads(backbone)
    features = None
    if order.files:
        features = final_features(
            backbone,
            [*order.files, *order.held_out],
            [reads],
            progress,
            folder=catalog.files / PATCHES,
        )
    if order.task == "zero_shot":
        scored = score_zero_shot(backbone, order.classes, order.templates, order.files, features)
    elif order.masks is None:
        assert features is not None
        scored = train_classifier(
            backbone,
            order.files,
            features,
            reads,
            settings,
            classes=order.classes,
            progress=progress,
        )
    else:
        assert features is not None
        scored = train_segmenter(
            backbone,
            order.files,
            order.masks,
            features,
            settings,
            classes=order.classes,
            held_out=order.held_out,
            held_out_masks=order.held_out_masks,
            progress=progress,
        )
    details = asdict(settings) | {
        "images": order.images,
        "masks": str(order.masks) if order.masks else None,
        "templates": list(order.templates) or None,
    }
    return keep_probe(catalog, invocation, name, row, scored, details)
