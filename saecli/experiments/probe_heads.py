"""The heads of a probe's grid, by either solver, and which of them is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.experiments.adamw import train_heads
from saecli.experiments.logistic import solution_path
from saecli.experiments.probe_data import Indices, Shuffled

if TYPE_CHECKING:
    from saecli.experiments.probe_training import ProbeSettings


@dataclass(frozen=True)
class GridPoint:
    """One head of the grid: mean cross-entropy on the validation pictures, in nats."""

    learning_rate: float | None
    weight_decay: float
    validation_loss: float


@dataclass(frozen=True, eq=False)
class Head:
    """W (D, C) and b (C,) on raw features, with what they were trained with."""

    learning_rate: float | None
    weight_decay: float
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out examples: features (n, D), classes (n,), and which picture each is of (n,)."""

    x: Tensor
    y: Indices
    pictures: Indices

    def losses(self, head: Head) -> npt.NDArray[np.float64]:
        """Mean cross-entropy of each picture, in nats."""
        _, picture = np.unique(self.pictures, return_inverse=True)
        logits = self.x @ head.weight + head.bias
        each = torch.nn.functional.cross_entropy(logits, torch.from_numpy(self.y), reduction="none")
        totals = np.bincount(picture, each.double().numpy())
        found: npt.NDArray[np.float64] = totals / np.bincount(picture)
        return found


def choose(heads: Iterable[Head], held: Held) -> tuple[Head, tuple[GridPoint, ...]]:
    """Of the heads within a standard error (over pictures) of the lowest loss, the most decayed.

    Among equally decayed ones it is the one with the lowest loss.

    Raises:
        SaecliError: if no head has a loss.
    """
    tried = [(head, held.losses(head)) for head in heads]
    grid = tuple(
        GridPoint(head.learning_rate, head.weight_decay, float(found.mean()))
        for head, found in tried
    )
    usable = [(head, found) for head, found in tried if np.isfinite(found).all()]
    if not usable:
        raise SaecliError("no head of the grid learnt anything", "give smaller learning rates")
    best = min((found for _, found in usable), key=lambda found: float(found.mean()))
    error = float(best.std(ddof=1)) / len(best) ** 0.5 if len(best) > 1 else 0.0
    near = [(head, found) for head, found in usable if found.mean() <= best.mean() + error]
    head, _ = min(near, key=lambda pair: (-pair[0].weight_decay, float(pair[1].mean())))
    return head, grid


def solution_heads(
    x: Tensor,
    y: Indices,
    n_classes: int,
    settings: ProbeSettings,
    device: str,
    start: Head | None = None,
) -> Iterable[Head]:
    """The exact solutions; from a start, that head's weight decay alone."""
    found = solution_path(
        x.to(device),
        torch.from_numpy(y).to(device),
        n_classes,
        settings.weight_decays if start is None else [start.weight_decay],
        balanced=settings.balanced,
        max_iterations=settings.max_iterations,
        start=None if start is None else (start.weight, start.bias),
    )
    return (Head(None, decay, weight, bias) for decay, weight, bias in found)


def refit(x: Tensor, y: Indices, head: Head, settings: ProbeSettings, device: str) -> Head:
    """The same weight decay on more examples, from the head that it gave on fewer."""
    (found,) = solution_heads(x, y, len(head.bias), settings, device, start=head)
    return found


def adamw_heads(
    stream: Shuffled,
    sample: Tensor,
    y: Indices,
    n_classes: int,
    settings: ProbeSettings,
    device: str,
    on_step: Callable[[], None],
) -> list[Head]:
    """A head for each learning rate and weight decay.

    Args:
        stream: the examples to train on.
        sample: (n, D), of them, to standardise the features by.
        y: their classes, in any shape; negative = unlabelled.
        n_classes: C.
        on_step: called after each step.
    """
    grid = list(product(settings.learning_rates, settings.weight_decays))
    counts = np.bincount(y[y >= 0], minlength=n_classes)
    weights = torch.from_numpy(1.0 / np.maximum(counts, 1)).float() if settings.balanced else None
    heads = train_heads(
        stream.draw,
        n_classes,
        grid,
        sample,
        steps=settings.steps,
        batch=min(settings.batch, int(counts.sum())),
        weights=weights,
        device=device,
        on_step=on_step,
    )
    return [
        Head(rate, decay, weight, bias)
        for (rate, decay), (weight, bias) in zip(grid, heads, strict=True)
    ]
