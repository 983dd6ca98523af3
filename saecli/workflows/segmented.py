"""What the figure of a segmentation experiment shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saecli.images.sources import ImageFile
from saecli.workflows.arms import prefixes_of
from saecli.workflows.knockout import Finished


@dataclass(frozen=True, eq=False)
class Segmented:
    """A picture with the classes of its patches, in the probe's numbers; -1 where unlabelled."""

    file: ImageFile
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    truth: NDArray[np.int64] | None


def spread(files: Sequence[ImageFile], n: int) -> list[ImageFile]:
    """At most ``n``, evenly over a set in its order: neighbours are often frames of one scene."""
    n = min(n, len(files))
    return [files[i * len(files) // n] for i in range(n)]


def segmented(finished: Finished, n: int) -> list[Segmented]:
    """Pictures of a segmentation experiment before and after the edit, at most ``n``."""
    import torch

    from saecli.experiments.arms import Encoded
    from saecli.experiments.margins import patch_labels

    trial, bench = finished.trial, finished.trial.bench
    files = spread(trial.subjects.files, n)
    masks = trial.masks
    truth: list[NDArray[np.int64] | None] = [None] * len(files)
    if masks is not None:
        place = np.full(len(masks.classes) + 1, -1)
        for number, name in enumerate(bench.probe.classes):
            if name in masks.classes:
                place[masks.classes.index(name)] = number
        found = patch_labels(masks.shares(bench.backbone, files), masks.unlabelled)
        truth = list(place[found])
    prefixes = prefixes_of(trial, files)
    sides: list[list[NDArray[np.int64]]] = [[], []]
    with torch.no_grad():
        for number in range(len(prefixes)):
            batch = Encoded.of(bench.dictionary, prefixes[number])
            for side, output in zip(
                sides, (batch.output, finished.target.apply(batch)), strict=True
            ):
                side.extend(bench.logits(output).argmax(dim=-1).cpu().numpy())
    return [
        Segmented(file, before, after, true)
        for file, before, after, true in zip(files, *sides, truth, strict=True)
    ]
