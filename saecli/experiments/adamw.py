"""Many linear heads at once by AdamW: a grid of learning rates and weight decays in one pass.

All heads see the same batches, and one matrix product gives the logits of all; their losses are
added, so that each head's gradient is its own. (Probing code of Stevens et al. 2025, arXiv
2502.06755, trains its grid likewise.) AdamW: Loshchilov & Hutter 2019, arXiv 1711.05101; the
learning rate falls to 0 along a cosine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saecli.experiments.logistic import CONSTANT

Draw = Callable[[int], tuple[Tensor, Tensor]]
"""Gives the next n examples: (n, D) float32 and (n,) int64 classes, on the CPU."""


def train_heads(
    draw: Draw,
    n_classes: int,
    grid: Sequence[tuple[float, float]],
    sample: Tensor,
    *,
    steps: int,
    batch: int,
    weights: Tensor | None = None,
    device: str = "cpu",
    on_step: Callable[[], None] = lambda: None,
) -> list[tuple[Tensor, Tensor]]:
    """Train a head for each (learning rate, weight decay), from zeros.

    Args:
        draw: the examples, in random order.
        n_classes: C.
        grid: learning rates and AdamW's (decoupled) weight decays; the bias has no decay.
        sample: (n, D), examples whose mean and spread standardise the features; a constant
            feature gets no weight.
        steps: of the optimiser.
        batch: examples to a step.
        weights: (C,), of the classes in the loss; None: all alike.
        on_step: called after each step.

    Returns:
        W (D, C) and b (C,) of each head on raw features, float32, on the CPU.
    """
    mean, spread = sample.mean(dim=0), sample.std(dim=0, correction=0)
    constant = spread <= CONSTANT * spread.max()
    inverse = torch.where(constant, 0.0, 1.0 / spread.clamp_min(1e-30))
    shape = (sample.shape[1], n_classes)
    heads = [
        (
            torch.zeros(shape, device=device, requires_grad=True),
            torch.zeros(n_classes, device=device, requires_grad=True),
        )
        for _ in grid
    ]
    groups = [
        {"params": [parameter], "lr": rate, "weight_decay": decay if parameter is w else 0.0}
        for (w, b), (rate, decay) in zip(heads, grid, strict=True)
        for parameter in (w, b)
    ]
    optimiser = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    centre, scale = mean.to(device), inverse.to(device)
    shares = None if weights is None else weights.to(device)
    for _ in range(steps):
        x, y = draw(batch)
        z = (x.to(device) - centre) * scale
        loss = _loss(heads, z, y.to(device), shares)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        on_step()
    found = []
    for w, b in heads:
        raw = w.detach().cpu().double() * inverse.double()[:, None]
        bias = b.detach().cpu().double() - mean.double() @ raw
        found.append((raw.float(), bias.float()))
    return found


def _loss(
    heads: Sequence[tuple[Tensor, Tensor]], z: Tensor, y: Tensor, weights: Tensor | None
) -> Tensor:
    """The heads' mean cross-entropies, added."""
    w = torch.cat([w for w, _ in heads], dim=1)  # (D, H · C)
    b = torch.cat([b for _, b in heads])
    logits = torch.addmm(b, z, w).view(len(z) * len(heads), -1)
    every = y.repeat_interleave(len(heads))
    return torch.nn.functional.cross_entropy(logits, every, weight=weights) * len(heads)
