"""The losses written straight from the papers, for autograd; independent of the package."""

from dataclasses import dataclass

import torch
from torch import Tensor

from saecli.sae.weights import NAMES, Weights


def random_weights(
    n_latents: int, d_model: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Weights:
    """Weights with every part away from zero, decoder rows of unit norm."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return Weights(
        W_enc=normal(n_latents, d_model).to(dtype),
        b_enc=(normal(n_latents) / 3).to(dtype),
        W_dec=torch.nn.functional.normalize(normal(n_latents, d_model), dim=1).to(dtype),
        b_dec=(normal(d_model) / 3).to(dtype),
    )


@dataclass
class Expected:
    """A loss with its gradients by parameter name."""

    loss: Tensor
    gradients: dict[str, Tensor]
    f: Tensor


def leaves(weights: Weights) -> dict[str, Tensor]:
    return {name: getattr(weights, name).detach().clone().requires_grad_() for name in NAMES}


def finish(loss: Tensor, parameters: dict[str, Tensor], f: Tensor) -> Expected:
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    filled = [
        torch.zeros_like(p) if g is None else g
        for p, g in zip(parameters.values(), gradients, strict=True)
    ]
    return Expected(loss.detach(), dict(zip(parameters, filled, strict=True)), f.detach())


def keep_largest(a: Tensor, k: int) -> Tensor:
    order = a.argsort(dim=1, descending=True, stable=True)[:, :k]
    return torch.zeros_like(a).scatter(1, order, a.gather(1, order)).relu()


def topk(
    weights: Weights, z: Tensor, k: int, unused: Tensor, aux_k: int, aux_weight: float
) -> Expected:
    """Gao et al. 2024: mean squared error, plus α times AuxK's."""
    p = leaves(weights)
    a = z @ p["W_enc"].t() + p["b_enc"]
    f = keep_largest(a, k)
    e = z - (f @ p["W_dec"] + p["b_dec"])
    loss = e.pow(2).mean()
    if unused.any():
        dead = torch.where(unused, a, torch.full_like(a, -torch.inf))
        order = dead.argsort(dim=1, descending=True, stable=True)[:, : min(aux_k, unused.sum())]
        aux = torch.zeros_like(a).scatter(1, order, a.gather(1, order)).relu()
        loss = loss + aux_weight * (e.detach() - aux @ p["W_dec"]).pow(2).mean()
    return finish(loss, p, f)


def relu_l1(weights: Weights, z: Tensor, l1: float) -> Expected:
    """Mean squared error, plus λ times the mean over patches of Σ f‖W_dec‖."""
    p = leaves(weights)
    f = (z @ p["W_enc"].t() + p["b_enc"]).relu()
    error = f @ p["W_dec"] + p["b_dec"] - z
    penalty = (f * p["W_dec"].norm(dim=1)).sum(dim=1).mean()
    return finish(error.pow(2).mean() + l1 * penalty, p, f)
