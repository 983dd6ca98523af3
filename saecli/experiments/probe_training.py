"""Training probes on recorded final outputs, with held-out scores.

Pictures, not patches, are split: no patch of a picture lies on both sides. The weight decay is
chosen on a validation part of the training pictures; the head is then fitted again on all of
them, and the scores are those on the held-out pictures, which took no part in either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.experiments.logistic import solution_path
from saecli.experiments.probes import Probe, Reads
from saecli.experiments.scores import Confusion

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ProbeSettings:
    """Defaults of probe training, a line each."""

    test_share: float = 0.25  # of the pictures (of each class), held out for the scores
    validation_share: float = 0.2  # of the training pictures, to choose the weight decay on
    # of the mean loss, on standardised features; one point a decade
    weight_decays: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    balanced: bool = False  # True: each class weighs the same in the loss, as if equally frequent
    max_patches: int = 100_000  # training patches of a segmentation head, drawn over all pictures
    max_iterations: int = 300  # of L-BFGS, per weight decay
    seed: int = 0


DEFAULTS = ProbeSettings()


@dataclass(frozen=True, eq=False)
class TrainedProbe:
    """A probe with what its training measured.

    Args:
        confusion: over the held-out pictures (classification) or their patches (segmentation).
        weight_decay: the one that validation chose.
        train, test: indices of the pictures on either side of the split, ascending.
    """

    probe: Probe
    confusion: Confusion
    weight_decay: float
    train: Indices
    test: Indices


def train_classification(
    features: Tensor,
    labels: npt.ArrayLike,
    classes: Sequence[str],
    *,
    reads: Reads,
    backbone_digest: str,
    settings: ProbeSettings = DEFAULTS,
    device: str = "cpu",
) -> TrainedProbe:
    """Train a linear classifier of pictures.

    Args:
        features: (n_images, D_in) float, what :func:`saecli.experiments.probes.read` gave.
        labels: (n_images,) class indices; negative = unlabelled, left out.
        classes: names, in the order of the indices.
        reads: which part of the final output the features are.
        backbone_digest: of the backbone that made them.

    Raises:
        SaecliError: if there are fewer than two classes, or a class has fewer than three
            pictures (one each to train, to validate and to test on).
    """
    y = np.asarray(labels, dtype=np.int64)
    _check_classes(classes)
    counts = np.bincount(y[y >= 0], minlength=len(classes))
    few = np.flatnonzero(counts < 3)
    if few.size:
        raise SaecliError(
            f"class '{classes[few[0]]}' has {counts[few[0]]} pictures",
            "give each class at least 3, or leave the class out",
        )
    rng = np.random.default_rng(settings.seed)
    rest, test = _split_by_class(y, settings.test_share, rng)
    fit, validation = _split_by_class(
        np.where(_member(rest, len(y)), y, -1), settings.validation_share, rng
    )
    x = features.float()
    decay = _choose(x[fit], y[fit], x[validation], y[validation], len(classes), settings, device)
    weight, bias = _fit(x[rest], y[rest], len(classes), decay, settings, device)
    probe = Probe("classification", tuple(classes), weight, bias, reads, backbone_digest)
    return TrainedProbe(probe, score(probe, x[test], y[test]), decay, rest, test)


def train_segmentation(
    features: Tensor,
    labels: npt.ArrayLike,
    classes: Sequence[str],
    *,
    backbone_digest: str,
    settings: ProbeSettings = DEFAULTS,
    device: str = "cpu",
) -> TrainedProbe:
    """Train a linear classifier of patches.

    Args:
        features: (n_images, P, D) float of any width (float16 keeps large sets small): the
            patches of the final output.
        labels: (n_images, P) class indices; negative = unlabelled, left out of everything.
        classes, backbone_digest: as for :func:`train_classification`.

    Raises:
        SaecliError: if there are fewer than two classes, fewer than four pictures, or no patch
            of two classes among the training pictures.
    """
    y = np.asarray(labels, dtype=np.int64)
    _check_classes(classes)
    usable = np.flatnonzero((y >= 0).any(axis=1))
    if len(usable) < 4:
        raise SaecliError(
            f"{len(usable)} pictures have labelled patches",
            "give at least 4 pictures with masks (masks carry the picture's stem)",
        )
    rng = np.random.default_rng(settings.seed)
    rest, test = _split(usable, settings.test_share, rng)
    fit, validation = _split(rest, settings.validation_share, rng)
    chosen = _patches(y, fit, settings.max_patches, rng)
    held = _patches(y, validation, settings.max_patches, rng)
    final = _patches(y, rest, settings.max_patches, rng)
    if len(np.unique(y[chosen])) < 2:
        raise SaecliError(
            "the training pictures hold patches of one class only",
            "check the masks and their classes.txt",
        )
    decay = _choose(
        features[chosen].float(),
        y[chosen],
        features[held].float(),
        y[held],
        len(classes),
        settings,
        device,
    )
    x = features[final].float()
    weight, bias = _fit(x, y[final], len(classes), decay, settings, device)
    probe = Probe("segmentation", tuple(classes), weight, bias, "patches", backbone_digest)
    return TrainedProbe(probe, score(probe, features[test], y[test]), decay, rest, test)


def score(probe: Probe, features: Tensor, labels: npt.ArrayLike) -> Confusion:
    """Confusion matrix of a probe on features (..., D_in) with labels (...), negative = unlabelled.

    Pictures are taken a few at a time, so that memory stays bounded.
    """
    y = np.asarray(labels, dtype=np.int64)
    predicted = [probe.head(part.float()).argmax(dim=-1) for part in torch.split(features, 256)]
    flat = torch.cat(predicted).cpu().numpy() if predicted else np.zeros(0, dtype=np.int64)
    return Confusion.of(y.ravel(), flat.ravel(), len(probe.classes))


def _check_classes(classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise SaecliError(
            f"there is {len(classes) or 'no'} class to tell apart",
            "give pictures of at least two classes",
        )


def _member(chosen: Indices, n: int) -> npt.NDArray[np.bool_]:
    inside = np.zeros(n, dtype=bool)
    inside[chosen] = True
    return inside


def _split(pictures: Indices, share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """(1 − share, share) of the pictures, ascending; at least one on each side."""
    order = rng.permutation(pictures)
    n = min(max(round(share * len(order)), 1), len(order) - 1)
    return np.sort(order[n:]), np.sort(order[:n])


def _split_by_class(y: Indices, share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """As :func:`_split`, within each class, so that both sides hold every class."""
    halves = [_split(np.flatnonzero(y == c), share, rng) for c in np.unique(y[y >= 0])]
    return (
        np.sort(np.concatenate([first for first, _ in halves])),
        np.sort(np.concatenate([second for _, second in halves])),
    )


def _patches(
    y: Indices, pictures: Indices, most: int, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """(picture, patch) indices of at most ``most`` labelled patches, drawn evenly, in order."""
    row, patch = np.nonzero(y[pictures] >= 0)
    if len(row) > most:
        kept = np.sort(rng.choice(len(row), size=most, replace=False))
        row, patch = row[kept], patch[kept]
    return pictures[row], patch


def _choose(
    x: Tensor,
    y: Indices,
    x_held: Tensor,
    y_held: Indices,
    n_classes: int,
    settings: ProbeSettings,
    device: str,
) -> float:
    """The weight decay with the lowest held-out cross-entropy; the stronger one on a tie."""
    truth = torch.from_numpy(y_held)
    losses: list[tuple[float, float]] = []
    for decay, weight, bias in _path(x, y, n_classes, settings.weight_decays, settings, device):
        loss = torch.nn.functional.cross_entropy(x_held @ weight + bias, truth)
        losses.append((float(loss), -decay))
    return -min(losses)[1]


def _fit(
    x: Tensor, y: Indices, n_classes: int, decay: float, settings: ProbeSettings, device: str
) -> tuple[Tensor, Tensor]:
    ((_, weight, bias),) = _path(x, y, n_classes, (decay,), settings, device)
    return weight, bias


def _path(
    x: Tensor,
    y: Indices,
    n_classes: int,
    decays: Sequence[float],
    settings: ProbeSettings,
    device: str,
) -> list[tuple[float, Tensor, Tensor]]:
    return list(
        solution_path(
            x.to(device),
            torch.from_numpy(y).to(device),
            n_classes,
            decays,
            balanced=settings.balanced,
            max_iterations=settings.max_iterations,
        )
    )
