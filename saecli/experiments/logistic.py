"""Multinomial logistic regression with an L2 penalty, solved to its optimum.

The loss is convex, so L-BFGS finds *the* solution for a weight decay and no learning rate has to
be searched. scikit-learn's ``LogisticRegression`` solves the same problem with
``C = 1 / (n * weight_decay)``; here the products run in torch, on any device, and the solutions
for several weight decays follow each other from warm starts.
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
    start = np.zeros((x.shape[1] + 1) * n_classes)
    for weight_decay in sorted(weight_decays, reverse=True):
        start = _solve(z, y, share, n_classes, weight_decay, start, max_iterations)
        packed = torch.from_numpy(start.reshape(-1, n_classes))
        weight = packed[:-1] * inverse.cpu().double()[:, None]
        bias = packed[-1] - mean.cpu().double() @ weight
        yield weight_decay, weight.float(), bias.float()


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
    n_classes: int,
    weight_decay: float,
    start: npt.NDArray[np.float64],
    max_iterations: int,
) -> npt.NDArray[np.float64]:
    """L-BFGS over the packed (D + 1, C) weights and bias."""
    rows = torch.arange(len(y), device=y.device)

    def loss(packed: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        theta = packed.reshape(-1, n_classes)
        weight, bias = torch.from_numpy(theta[:-1]).to(z), torch.from_numpy(theta[-1]).to(z)
        log_p = torch.log_softmax(z @ weight + bias, dim=1)
        nll = -(log_p[rows, y] * share).sum(dtype=torch.float64)
        residual = log_p.exp()
        residual[rows, y] -= 1.0
        residual *= share[:, None]
        gradient = np.empty_like(theta)
        gradient[:-1] = (z.T @ residual).cpu().double().numpy() + weight_decay * theta[:-1]
        gradient[-1] = residual.sum(dim=0, dtype=torch.float64).cpu().numpy()
        penalty = 0.5 * weight_decay * float((theta[:-1] ** 2).sum())
        return float(nll) + penalty, gradient.ravel()

    found = scipy.optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        # float32 products leave noise of about 1e-6 in the gradient
        options={"maxiter": max_iterations, "gtol": 1e-5, "ftol": 1e-9, "maxls": 30},
    )
    return np.asarray(found.x, dtype=np.float64)
