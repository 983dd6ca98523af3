"""What `probe train` is asked for, checked in full before a backbone is loaded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.errors import SaecliError, one_of
from saecli.images.ade20k import UNLABELLED, layout_of
from saecli.images.sources import ImageFile, ImageSource, read_classes, read_labels
from saecli.progress import Progress
from saecli.workflows.pictures import open_pictures, with_labels

if TYPE_CHECKING:
    from saecli.experiments.probes import Task

FEWEST = 3  # pictures of a class: one each to train, to validate and to test on


@dataclass(frozen=True)
class ProbeOrder:
    """A probe to be trained, or made of texts.

    Attributes:
        task: of the probe.
        classes: in the order of its logits.
        files: the labelled pictures; none for a zero-shot probe that is not scored.
        images: what they were named by.
        masks: folder of the masks of ``files`` (segmentation).
        held_out: pictures to score on, where the set comes with a split (segmentation).
        held_out_masks: folder of their masks.
        templates: a zero-shot probe's texts.
    """

    task: "Task"
    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    images: str | None
    masks: Path | None = None
    held_out: tuple[ImageFile, ...] = ()
    held_out_masks: Path | None = None
    templates: tuple[str, ...] = ()


def order_probe(
    images: str | None,
    backbone: str,
    progress: Progress,
    *,
    masks: Path | None = None,
    labels: Path | None = None,
    classes: Sequence[str] | None = None,
    templates: Sequence[str] | None = None,
    n_images: int | None = None,
) -> ProbeOrder:
    """Find the pictures and check that there is something to train on.

    Args:
        images: as ``--images`` takes them, or a folder laid out like ADE20K's, whose validation
            part is then held out; None for a zero-shot probe that is not scored.
        backbone: its name.
        masks: of a segmentation head.
        labels: table of labels (``file,label``), in the place of folders or labels.csv.
        classes: only these, in this order; None for all.
        templates: of a zero-shot probe; None for another.
        n_images: take only so many, evenly spread over the set.

    Raises:
        SaecliError: if the options don't fit each other, the pictures, or the backbone.
    """
    repeated = [name for name, n in Counter(classes or ()).items() if n > 1]
    if repeated:
        raise SaecliError(f"the class '{repeated[0]}' is named twice", "name each once", usage=True)
    if masks is not None and (labels is not None or templates is not None):
        raise SaecliError(
            "masks label patches, and a table or texts whole pictures",
            "leave out --masks, or the other",
            usage=True,
        )
    if templates is not None:
        return _zero_shot(images, backbone, labels, classes, templates, n_images, progress)
    if images is None:
        raise SaecliError("there are no pictures to train on", "give --images", usage=True)
    layout = layout_of(Path(images).expanduser()) if masks is None and labels is None else None
    if layout is not None:
        source = open_pictures(str(layout.images), progress, n_images=n_images)
        order = _segmentation(source, layout.masks, classes)
        if layout.held_out_images is None or layout.held_out_masks is None:
            return order
        held_out = open_pictures(str(layout.held_out_images), progress, n_images=n_images)
        progress.say(
            f"laid out like ADE20K: {len(order.files)} pictures to train on, "
            f"{len(held_out.files)} to score on"
        )
        return _with_held_out(order, held_out, layout.held_out_masks)
    source = open_pictures(images, progress, n_images=n_images)
    if masks is not None:
        return _segmentation(source, masks, classes)
    return _classification(source if labels is None else read_labels(labels, source), classes)


def wanted_classes(named: Sequence[str], classes: Sequence[str] | None) -> list[str]:
    """The classes of masks that take part: all but `unlabelled`, or the given ones.

    Raises:
        SaecliError: if a given one is not among them, or fewer than two are left.
    """
    from saecli.experiments.probe_training import check_classes

    known = [name for name in named if name != UNLABELLED]
    for name in classes or ():
        if name not in known:
            raise SaecliError(
                f"the masks have no class '{name}'", f"name some of {one_of(known, name)}"
            )
    found = list(classes) if classes else known
    check_classes(found)
    return found


def _segmentation(source: ImageSource, masks: Path, classes: Sequence[str] | None) -> ProbeOrder:
    from saecli.images.masks import check_masks

    if not masks.is_dir():
        raise SaecliError(f"there is no folder of masks at '{masks}'", "give --masks DIR")
    chosen = wanted_classes(read_classes(masks), classes)
    check_masks(masks, source.files)
    return ProbeOrder("segmentation", tuple(chosen), source.files, source.spec, masks)


def _with_held_out(order: ProbeOrder, held_out: ImageSource, masks: Path) -> ProbeOrder:
    from saecli.images.masks import check_masks

    check_masks(masks, held_out.files)
    return replace(order, held_out=held_out.files, held_out_masks=masks)


def _classification(source: ImageSource, classes: Sequence[str] | None) -> ProbeOrder:
    from saecli.experiments.probe_training import check_classes, too_few

    files, found = _labelled(source, classes)
    missing = sorted(set(classes or ()) - set(found))
    if not files or missing:
        raise SaecliError(
            f"no picture of '{source.spec}' is labelled"
            + (f" '{missing[0]}'" if missing and files else ""),
            "put the pictures into class folders, write labels.csv (file,label) or give --labels, "
            "or give --masks for a segmentation probe",
        )
    check_classes(found)
    counts = Counter(str(file.label) for file in files)
    for name in found:
        if counts[name] < FEWEST:
            raise too_few(name, counts[name])
    return ProbeOrder("classification", tuple(found), tuple(files), source.spec)


def _zero_shot(
    images: str | None,
    backbone: str,
    labels: Path | None,
    classes: Sequence[str] | None,
    templates: Sequence[str],
    n_images: int | None,
    progress: Progress,
) -> ProbeOrder:
    from saecli.backbones.names import parse_backbone
    from saecli.demo.backbones import BUILT_IN
    from saecli.experiments.probe_training import check_classes
    from saecli.experiments.zero_shot import check_templates

    if parse_backbone(backbone, BUILT_IN).family != "clip":
        raise SaecliError(
            f"the backbone '{backbone}' reads no text, so it has no zero-shot probe",
            "name a CLIP backbone, or train a probe on labelled pictures",
            usage=True,
        )
    check_templates(templates)
    files: list[ImageFile] = []
    found = list(classes or ())
    spec = None
    if images is not None:
        source = open_pictures(images, progress, n_images=n_images)
        spec = source.spec
        source = source if labels is None else read_labels(labels, source)
        files, found = _labelled(source, classes)
        found = list(classes) if classes else found
    if not found:
        raise SaecliError(
            "there are no class names to make texts of",
            "give --classes, or pictures in class folders",
        )
    check_classes(found)
    return ProbeOrder("zero_shot", tuple(found), tuple(files), spec, templates=tuple(templates))


def _labelled(
    source: ImageSource, classes: Sequence[str] | None
) -> tuple[list[ImageFile], list[str]]:
    """The labelled pictures (of some classes), and the classes that they show."""
    files = with_labels(source.files, classes)
    shown = {str(file.label) for file in files}
    return files, [name for name in classes or sorted(shown) if name in shown]
