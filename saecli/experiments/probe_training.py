"""Training probes on recorded final outputs, with held-out scores.

Pictures, not patches, are split: no patch of a picture lies on both sides. The weight decay (and
with AdamW the learning rate) is chosen on a validation part of the training pictures: of the heads
whose loss lies within one standard error of the best (Breiman et al. 1984, section 3.4.3), the one
with the strongest decay. A head with smaller weights is nearly as accurate and moves less under
pushes that have no meaning, which makes experiments sharper: in a trial on the built-in world a
head of decay 1e-5 changed 33 % of the sand patches under random directions, one of 1e-3 changed
2 %, at accuracies of 0.94 and 0.93. The scores are those on the held-out pictures, which took part
in neither.

Two solvers: ``exact`` finds the optimum of the convex loss (:mod:`saecli.experiments.logistic`; no
learning rate to search, at most ``max_patches`` patches) and fits the chosen decay again on all
training pictures; ``adamw`` trains a whole grid of heads in one pass over any number of patches
(:mod:`saecli.experiments.adamw`) and keeps the chosen one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.experiments.probe_data import (
    Indices,
    Shuffled,
    drawn_patches,
    member,
    parts,
    split,
    split_by_class,
)
from saecli.experiments.probe_heads import (
    GridPoint,
    Held,
    adamw_heads,
    choose,
    refit,
    solution_heads,
)
from saecli.experiments.probes import Probe, Reads
from saecli.experiments.scores import Confusion

Solver = Literal["exact", "adamw"]


@dataclass(frozen=True)
class ProbeSettings:
    """Defaults of probe training, a line each."""

    solver: Solver = "exact"
    test_share: float = 0.25  # of the pictures (of each class), held out for the scores
    validation_share: float = 0.2  # of the training pictures, to choose the head on
    # exact: of the mean loss, on standardised features; one point a decade
    weight_decays: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    balanced: bool = False  # True: each class weighs the same in the loss, as if equally frequent
    max_patches: int = 100_000  # training patches of a segmentation head, drawn over all pictures
    search_patches: int = 20_000  # of them, those that the weight decay is chosen on
    max_iterations: int = 300  # of L-BFGS, per weight decay
    # AdamW's peak, on standardised features; below, few steps don't arrive, above, they jump about
    learning_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    steps: int = 2_000  # of AdamW
    batch: int = 2_048  # examples to a step of AdamW
    seed: int = 0


ADAMW_DECAYS = (1e-4, 1e-2, 1e-1, 1.0)  # decoupled, so of other sizes than the exact solver's
DEFAULTS = ProbeSettings()


@dataclass(frozen=True, eq=False)
class TrainedProbe:
    """A probe with what its training measured.

    Args:
        confusion: over the held-out pictures (classification) or their patches (segmentation).
        weight_decay: the one that validation chose.
        learning_rate: likewise; None for the exact solver.
        grid: every head that was tried.
        train, test: indices of the pictures on either side of the split, ascending.
    """

    probe: Probe
    confusion: Confusion
    weight_decay: float
    learning_rate: float | None
    grid: tuple[GridPoint, ...]
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
    on_step: Callable[[], None] = lambda: None,
) -> TrainedProbe:
    """Train a linear classifier of pictures.

    Args:
        features: (n_images, D_in) float, what :func:`saecli.experiments.probes.read` gave.
        labels: (n_images,) class indices; negative = unlabelled, left out.
        classes: names, in the order of the indices.
        reads: which part of the final output the features are.
        backbone_digest: of the backbone that made them.
        on_step: called after each step of AdamW.

    Raises:
        SaecliError: if there are fewer than two classes, or a class has fewer than three
            pictures (one each to train, to validate and to test on).
    """
    y = np.asarray(labels, dtype=np.int64)
    check_classes(classes)
    counts = np.bincount(y[y >= 0], minlength=len(classes))
    few = np.flatnonzero(counts < 3)
    if few.size:
        raise too_few(classes[few[0]], int(counts[few[0]]))
    rng = np.random.default_rng(settings.seed)
    rest, test = split_by_class(y, settings.test_share, rng)
    fit, validation = split_by_class(
        np.where(member(rest, len(y)), y, -1), settings.validation_share, rng
    )
    x = features.float()
    held = Held(x[validation], y[validation], np.arange(len(validation)))
    if settings.solver == "adamw":
        stream = Shuffled(x[:, None], y[:, None], fit, settings.seed)
        head, grid = choose(
            adamw_heads(stream, x[fit], y[fit], len(classes), settings, device, on_step), held
        )
    else:
        head, grid = choose(solution_heads(x[fit], y[fit], len(classes), settings, device), held)
        head = refit(x[rest], y[rest], head, settings, device)
    probe = Probe("classification", tuple(classes), head.weight, head.bias, reads, backbone_digest)
    scores = score(probe, x, y, test)
    return TrainedProbe(probe, scores, head.weight_decay, head.learning_rate, grid, rest, test)


def train_segmentation(
    features: Tensor,
    labels: npt.ArrayLike,
    classes: Sequence[str],
    *,
    backbone_digest: str,
    settings: ProbeSettings = DEFAULTS,
    held_out: Indices | None = None,
    device: str = "cpu",
    on_step: Callable[[], None] = lambda: None,
) -> TrainedProbe:
    """Train a linear classifier of patches.

    Args:
        features: (n_images, P, D) float of any width (float16 keeps large sets small): the
            patches of the final output; may be mapped from a file.
        labels: (n_images, P) class indices; negative = unlabelled, left out of everything.
        classes, backbone_digest, on_step: as for :func:`train_classification`.
        held_out: the pictures to score on, where the set comes with a split; None draws them.

    Raises:
        SaecliError: if there are fewer than two classes, fewer than four pictures, no labelled
            picture among the held-out ones, or no patch of two classes among the training
            pictures.
    """
    y = np.asarray(labels, dtype=np.int64)
    check_classes(classes)
    usable = np.flatnonzero((y >= 0).any(axis=1))
    if len(usable) < 4:
        raise SaecliError(
            f"{_pictures(len(usable))} labelled patches",
            "give at least 4 pictures with masks (masks carry the picture's stem)",
        )
    rng = np.random.default_rng(settings.seed)
    rest, test = _held_out(usable, held_out, settings, rng)
    fit, validation = split(rest, settings.validation_share, rng)
    chosen = drawn_patches(y, fit, settings.search_patches, rng)
    among = drawn_patches(y, validation, settings.max_patches, rng)
    final = drawn_patches(y, rest, settings.max_patches, rng)
    if len(np.unique(y[chosen])) < 2:
        raise SaecliError(
            "the training pictures hold patches of one class only",
            "check the masks and their classes.txt",
        )
    held = Held(features[among].float(), y[among], among[0])
    x = features[chosen].float()
    if settings.solver == "adamw":
        stream = Shuffled(features, y, fit, settings.seed)
        head, grid = choose(
            adamw_heads(stream, x, y[fit], len(classes), settings, device, on_step), held
        )
    else:
        head, grid = choose(solution_heads(x, y[chosen], len(classes), settings, device), held)
        head = refit(features[final].float(), y[final], head, settings, device)
    probe = Probe(
        "segmentation", tuple(classes), head.weight, head.bias, "patches", backbone_digest
    )
    scores = score(probe, features, y, test)
    return TrainedProbe(probe, scores, head.weight_decay, head.learning_rate, grid, rest, test)


def score(
    probe: Probe, features: Tensor, labels: npt.ArrayLike, pictures: Indices | None = None
) -> Confusion:
    """Confusion matrix of a probe on features (n_images, …, D_in) with labels (n_images, …).

    Pictures are read and scored a few at a time, so that memory stays bounded.

    Args:
        labels: negative = unlabelled.
        pictures: only these; None: all.
    """
    y = np.asarray(labels, dtype=np.int64)
    chosen = np.arange(len(y)) if pictures is None else pictures
    n = len(probe.classes)
    counts = np.zeros((n, n), dtype=np.int64)
    for part in parts(chosen):
        predicted = probe.head(features[torch.from_numpy(part)].float()).argmax(dim=-1)
        counts += Confusion.of(y[part].ravel(), predicted.cpu().numpy().ravel(), n).counts
    return Confusion(counts)


def check_classes(classes: Sequence[str]) -> None:
    """Return if there are at least two classes to tell apart.

    Raises:
        SaecliError: if there are fewer.
    """
    if len(classes) < 2:
        raise SaecliError(
            f"there is {len(classes) or 'no'} class to tell apart",
            "give pictures of at least two classes",
        )


def too_few(name: str, n: int) -> SaecliError:
    """What to say of a class with fewer than three pictures."""
    return SaecliError(
        f"class '{name}' has {n} {'picture' if n == 1 else 'pictures'}",
        "give each class at least 3, or leave the class out",
    )


def _pictures(n: int) -> str:
    return "1 picture has" if n == 1 else f"{n} pictures have"


def _held_out(
    usable: Indices, given: Indices | None, settings: ProbeSettings, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Pictures to train on and to score on."""
    if given is None:
        return split(usable, settings.test_share, rng)
    rest, test = np.setdiff1d(usable, given), np.intersect1d(usable, given)
    if len(rest) < 2 or not len(test):
        raise SaecliError(
            f"{_pictures(len(rest))} labelled patches to train on and {len(test)} to score on",
            "check the masks of both parts of the set",
        )
    return rest, test
