"""Train a probe, score it on held-out pictures, keep it in the catalog."""

from collections.abc import Mapping, Sequence
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
from saecli.errors import SaecliError, one_of
from saecli.images.sources import ImageFile, ImageSource, read_classes
from saecli.progress import Progress
from saecli.records import ProbeReport
from saecli.workflows.pictures import with_labels

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone
    from saecli.experiments.probe_training import ProbeSettings
    from saecli.experiments.probes import Probe, Reads
    from saecli.experiments.scores import Confusion
    from saecli.workflows.features import Features

UNLABELLED = "unlabelled"  # the class of a mask that takes part in nothing


@dataclass(frozen=True)
class Scored:
    """A probe with what it was trained and tested on."""

    probe: "Probe"
    confusion: "Confusion"
    n_train: int
    n_test: int


def default_reads(backbone: "Backbone") -> "Reads":
    """What a linear classifier reads: the class token for CLIP, DINOv2's usual input for it."""
    return "cls" if backbone.family == "clip" else "cls+mean_patches"


def train_classifier(
    backbone: "Backbone",
    files: Sequence[ImageFile],
    features: "Features",
    reads: "Reads",
    settings: "ProbeSettings",
) -> Scored:
    """Fit a linear classifier on features of labelled pictures."""
    from saecli.experiments.probe_training import train_classification

    labels = [str(files[index].label) for index, _ in features.images]
    classes = sorted(set(labels))
    trained = train_classification(
        features.inputs[reads],
        np.array([classes.index(label) for label in labels]),
        classes,
        reads=reads,
        backbone_digest=backbone.digest,
        settings=settings,
        device=backbone.device.type,
    )
    return Scored(trained.probe, trained.confusion, len(trained.train), len(trained.test))


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
) -> Scored:
    """Fit a per-patch classifier on masks; only ``classes`` count, where they are given."""
    from saecli.experiments.probe_training import train_segmentation

    named = read_classes(masks)
    chosen = wanted_classes(named, classes)
    labels = patch_labels(backbone, [files[index] for index, _ in features.images], masks, named)
    place = np.full(len(named) + 1, -1)
    place[[named.index(name) for name in chosen]] = np.arange(len(chosen))
    trained = train_segmentation(
        features.inputs["patches"],
        place[labels],
        chosen,
        backbone_digest=backbone.digest,
        settings=settings,
        device=backbone.device.type,
    )
    return Scored(trained.probe, trained.confusion, len(trained.train), len(trained.test))


def wanted_classes(named: Sequence[str], classes: Sequence[str] | None) -> list[str]:
    """The classes of masks that take part: all but `unlabelled`, or the given ones.

    Raises:
        SaecliError: if a given one is not among them.
    """
    known = [name for name in named if name != UNLABELLED]
    for name in classes or ():
        if name not in known:
            raise SaecliError(
                f"the masks have no class '{name}'", f"name some of {one_of(known, name)}"
            )
    return list(classes) if classes else known


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
    probe = scored.probe
    segmentation = probe.task == "segmentation"
    accuracy = scored.confusion.accuracy
    mean_iou = scored.confusion.mean_iou if segmentation else None
    with catalog.writing() as session:
        add_probe(
            session,
            invocation.id,
            name=name,
            backbone=backbone,
            task=probe.task,
            classes=list(probe.classes),
            artifact=store_artifact(session, invocation.id, probe.to_bytes(), "probe"),
            settings=settings,
            n_train=scored.n_train,
            n_test=scored.n_test,
            accuracy=None if scored.n_test == 0 else accuracy,
            mean_iou=mean_iou,
            replace=replace,
        )
    return ProbeReport(
        name=name,
        task=probe.task,
        classes=list(probe.classes),
        n_train=scored.n_train,
        n_test=scored.n_test,
        accuracy=accuracy,
        mean_iou=mean_iou,
    )


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
    source: ImageSource,
    settings: "ProbeSettings",
    progress: Progress,
    *,
    masks: Path | None = None,
    classes: Sequence[str] | None = None,
    templates: Sequence[str] | None = None,
) -> ProbeReport:
    """Train and keep one probe: segmentation with masks, zero-shot with templates, else linear.

    Raises:
        SaecliError: if the pictures have no labels or masks, or a class is unknown.
    """
    from saecli.workflows.features import final_features

    details = asdict(settings) | {"images": source.spec, "masks": str(masks) if masks else None}
    if masks is not None:
        features = final_features(backbone, source.files, ["patches"], progress)
        scored = train_segmenter(backbone, source.files, masks, features, settings, classes=classes)
        return keep_probe(catalog, invocation, name, row, scored, details)
    files = with_labels(source.files, classes)
    found = sorted({str(file.label) for file in files})
    missing = sorted(set(classes or ()) - set(found))
    if not files or (missing and templates is None):
        raise SaecliError(
            f"no picture of '{source.spec}' is labelled"
            + (f" '{missing[0]}'" if missing and files else ""),
            "put the pictures into class folders or write labels.csv (file,label), "
            "or give --masks for a segmentation probe",
        )
    reads: Reads = "embedding" if templates is not None else default_reads(backbone)
    features = final_features(backbone, files, [reads], progress)
    if templates is not None:
        scored = score_zero_shot(backbone, classes or found, templates, files, features)
        details["templates"] = list(templates)
    else:
        scored = train_classifier(backbone, files, features, reads, settings)
    return keep_probe(catalog, invocation, name, row, scored, details)
