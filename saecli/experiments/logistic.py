"""Multinomial logistic regression with an L2 penalty, solved to its optimum.

The loss is convex, so L-BFGS finds *the* solution for a weight decay and no learning rate has to
be searched. scikit-learn's ``LogisticRegression`` solves the same problem with
``C = 1 / (n * weight_decay)``; here the products run in torch, on any device, and the solutions
for several weight decays follow each other from warm starts.

The weights are solved for in coordinates in which the loss is well conditioned: W = P V with
``P = (G / 4 + weight_decay)^(-1/2)``, G the Gram matrix of the features. G / 4 is the size of the
Hessian at uniform probabilities, up to a factor (Böhning 1992, "Multinomial logistic regression
algorithm"). The problem and its solution stay the same; L-BFGS needs far fewer passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.optimize
import torch
from torch import Tensor

# Floor of a feature's standard deviation relative to the largest: below it a feature is constant.
CONSTANT = 1e-6


def solution_path(
    x: Tensor,
    y: Tensor,
    n_classes: int,
    weight_decays: Sequence[float],
    *,
    balanced: bool = False,
    max_iterations: int = 300,
    start: tuple[Tensor, Tensor] | None = None,
) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Fit one head for each weight decay, the strongest first, each from the last one's solution.

    Minimises ``mean cross-entropy + weight_decay / 2 * ||W||²`` over standardised features (zero
    mean, unit variance over x; a constant feature gets no weight). The bias carries no penalty.

    Args:
        x: (n, D) float, on the device to compute on.
        y: (n,) int64 class indices, same device.
        n_classes: C.
        weight_decays: of the mean loss, for standardised features.
        balanced: give each class that occurs the same total weight in the loss.
        max_iterations: of L-BFGS per weight decay.
        start: W and b of a head to begin with, as yielded; else zeros.

    Yields:
        weight decay, W (D, C) and b (C,) on raw features: standardisation is folded in; float32,
        on the CPU.
    """
    mean = x.mean(dim=0)
    spread = x.std(dim=0, correction=0)
    constant = spread <= CONSTANT * spread.max()
    inverse = torch.where(constant, 0.0, 1.0 / spread.clamp_min(1e-30))
    z = (x - mean) * inverse
    share = _shares(y, n_classes, balanced)
    spectrum, axes = torch.linalg.eigh((z.T @ z).cpu().double() / len(z))
    weight = torch.zeros(x.shape[1], n_classes, dtype=torch.float64)
    bias = torch.zeros(n_classes, dtype=torch.float64)
    if start is not None:
        weight = start[0].double() * spread.cpu().double()[:, None]
        bias = start[1].double() + mean.cpu().double() @ start[0].double()
    for weight_decay in sorted(weight_decays, reverse=True):
        root = (spectrum.clamp_min(0.0) / 4 + weight_decay).sqrt()
        inwards, outwards = (axes / root) @ axes.T, (axes * root) @ axes.T
        packed = torch.cat([outwards @ weight, bias[None]]).numpy()
        found = _solve(z, y, share, weight_decay, inwards.numpy(), packed, max_iterations)
        weight = inwards @ torch.from_numpy(found[:-1])
        bias = torch.from_numpy(found[-1])
        raw = weight * inverse.cpu().double()[:, None]
        yield weight_decay, raw.float(), (bias - mean.cpu().double() @ raw).float()


def _shares(y: Tensor, n_classes: int, balanced: bool) -> Tensor:
    """(n,) weights of the examples in the loss; they sum to one."""
    if not balanced:
        return torch.full(y.shape, 1.0 / len(y), device=y.device)
    counts = torch.bincount(y, minlength=n_classes)
    return 1.0 / (counts[y] * int((counts > 0).sum()))


def _solve(
    z: Tensor,
    y: Tensor,
    share: Tensor,
    weight_decay: float,
    inwards: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
    max_iterations: int,
) -> npt.NDArray[np.float64]:
    """L-BFGS over V (D, C) and the bias, packed as (D + 1, C); W = inwards @ V."""
    rows = torch.arange(len(y), device=y.device)

    def onto(values: npt.NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(z.dtype).to(z.device)

    def loss(packed: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        theta = packed.reshape(start.shape)
        w = inwards @ theta[:-1]
        log_p = torch.log_softmax(torch.addmm(onto(theta[-1]), z, onto(w)), dim=1)
        nll = -(log_p[rows, y] * share).cpu().double().sum()
        residual = log_p.exp_()
        residual[rows, y] -= 1.0
        residual *= share[:, None]
        slope = (residual.T @ z).T.cpu().double().numpy() + weight_decay * w
        gradient = np.empty_like(theta)
        gradient[:-1] = inwards.T @ slope
        gradient[-1] = residual.sum(dim=0).cpu().double().numpy()
        return float(nll) + 0.5 * weight_decay * float((w**2).sum()), gradient.ravel()

    found = scipy.optimize.minimize(
        loss,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        # below, float32 products leave more noise than there is to gain
        options={"maxiter": max_iterations, "gtol": 1e-5, "ftol": 1e-6, "maxls": 30},
    )
    return np.asarray(found.x, dtype=np.float64).reshape(start.shape)
