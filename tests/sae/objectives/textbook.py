"""The losses written straight from the papers, for autograd; independent of the package."""

from dataclasses import dataclass

import torch
from torch import Tensor

from saecli.sae.weights import Weights


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
    return {name: t.detach().clone().requires_grad_() for name, t in weights.tensors().items()}


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


def reconstruction_loss(
    f: Tensor, p: dict[str, Tensor], z: Tensor, widths: tuple[int, ...] = ()
) -> tuple[Tensor, Tensor]:
    """The mean squared error, in the mean over prefixes, and the error z − ẑ of all latents."""
    losses = []
    for width in (*widths, f.shape[1]):
        error = z - (f[:, :width] @ p["W_dec"][:width] + p["b_dec"])
        losses.append(error.pow(2).mean())
    return torch.stack(losses).mean(), error


def auxk_loss(
    a: Tensor, e: Tensor, p: dict[str, Tensor], unused: Tensor, aux_k: int, aux_weight: float
) -> Tensor | float:
    if not unused.any():
        return 0.0
    dead = torch.where(unused, a, torch.full_like(a, -torch.inf))
    order = dead.argsort(dim=1, descending=True, stable=True)[:, : min(aux_k, unused.sum())]
    aux = torch.zeros_like(a).scatter(1, order, a.gather(1, order)).relu()
    return aux_weight * (e.detach() - aux @ p["W_dec"]).pow(2).mean()


def topk(
    weights: Weights,
    z: Tensor,
    k: int,
    unused: Tensor,
    aux_k: int,
    aux_weight: float,
    widths: tuple[int, ...] = (),
) -> Expected:
    """Gao et al. 2024: mean squared error, plus α times AuxK's."""
    p = leaves(weights)
    a = z @ p["W_enc"].t() + p["b_enc"]
    f = keep_largest(a, k)
    loss, e = reconstruction_loss(f, p, z, widths)
    return finish(loss + auxk_loss(a, e, p, unused, aux_k, aux_weight), p, f)


def batchtopk(
    weights: Weights,
    z: Tensor,
    k: int,
    unused: Tensor,
    aux_k: int,
    aux_weight: float,
    widths: tuple[int, ...] = (),
) -> Expected:
    """Bussmann et al. 2024: as TopK, the n·k largest activations of the whole batch kept."""
    p = leaves(weights)
    a = z @ p["W_enc"].t() + p["b_enc"]
    f = keep_largest(a.relu().view(1, -1), len(z) * k).view(a.shape)
    loss, e = reconstruction_loss(f, p, z, widths)
    return finish(loss + auxk_loss(a, e, p, unused, aux_k, aux_weight), p, f)


def relu_l1(weights: Weights, z: Tensor, l1: float, widths: tuple[int, ...] = ()) -> Expected:
    """Mean squared error, plus λ times the mean over patches of Σ f‖W_dec‖."""
    p = leaves(weights)
    f = (z @ p["W_enc"].t() + p["b_enc"]).relu()
    loss, _ = reconstruction_loss(f, p, z, widths)
    penalty = (f * p["W_dec"].norm(dim=1)).sum(dim=1).mean()
    return finish(loss + l1 * penalty, p, f)


def rectangle(x: Tensor) -> Tensor:
    return ((x > -0.5) & (x < 0.5)).to(x.dtype)


class Jump(torch.autograd.Function):
    """Rajamanoharan et al. 2024, equations 1 and 11: a·1[a > θ]."""

    @staticmethod
    def forward(context, a, theta, bandwidth):
        context.save_for_backward(a, theta)
        context.bandwidth = bandwidth
        return a * (a > theta)

    @staticmethod
    def backward(context, g):
        a, theta = context.saved_tensors
        width = context.bandwidth
        by_theta = -(theta / width) * rectangle((a - theta) / width) * g
        return (a > theta) * g, by_theta.sum(dim=0), None


class Step(torch.autograd.Function):
    """The same, equation 12: 1[a > θ]; by a it has no derivative."""

    @staticmethod
    def forward(context, a, theta, bandwidth):
        context.save_for_backward(a, theta)
        context.bandwidth = bandwidth
        return (a > theta).to(a.dtype)

    @staticmethod
    def backward(context, g):
        a, theta = context.saved_tensors
        width = context.bandwidth
        by_theta = -(1 / width) * rectangle((a - theta) / width) * g
        return torch.zeros_like(a), by_theta.sum(dim=0), None


def jumprelu(
    weights: Weights, z: Tensor, l0: float, bandwidth: float, widths: tuple[int, ...] = ()
) -> Expected:
    """Mean squared error, plus λ times the mean over patches of the active latents' number."""
    p = leaves(weights)
    theta = p["log_threshold"].exp()
    a = z @ p["W_enc"].t() + p["b_enc"]
    f = Jump.apply(a, theta, bandwidth)
    loss, _ = reconstruction_loss(f, p, z, widths)
    return finish(loss + l0 * Step.apply(a, theta, bandwidth).sum(dim=1).mean(), p, f)
