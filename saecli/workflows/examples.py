"""Pictures with and without a concept: what latents are scored on as its detectors."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saecli.errors import SaecliError
from saecli.images.sources import ImageSource
from saecli.progress import Progress
from saecli.workflows.pictures import is_built_in, open_pictures
from saecli.workflows.subjects import Masks, Subjects, read_subjects


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
    """Pictures of one set against those of another; one that is in both shows the concept.

    So the negatives may be a folder that holds the positives, too. Copies count once.

    Raises:
        SaecliError: if one can't be read, or is a built-in set, which shows many concepts.
    """
    for spec in (positives, negatives):
        if is_built_in(spec):
            raise SaecliError(
                f"'{spec}' is no concept's pictures",
                f"give --images {spec} and --class, or folders (saecli demo draws some)",
                usage=True,
            )
    sources = [open_pictures(spec, progress, n_images=n_images) for spec in (positives, negatives)]
    shown, _, _ = read_subjects(sources[0], sources[0].files, progress).fresh(())
    known = {info.sha256 for info in shown.infos}
    others, n_both, _ = read_subjects(sources[1], sources[1].files, progress).fresh(known)
    if n_both:
        progress.say(f"{n_both} of the negatives are positives too, and count as these")
    parts = (shown, others)
    files = tuple(
        replace(file, name=f"{part.source.root.name}/{file.name}")
        for part in parts
        for file in part.files
    )
    both = ImageSource(f"{positives} against {negatives}", sources[0].root.parent, files)
    infos, skipped = shown.infos + others.infos, shown.skipped + others.skipped
    subjects = Subjects(both, files, infos, skipped)
    positive = np.repeat([True, False], [len(shown), len(others)])
    return Examples(subjects, None, positive, Path(positives).name)
