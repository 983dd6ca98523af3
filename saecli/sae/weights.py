"""The weights while they are trained: both matrices latent by latent, rows of W_dec unit."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.sae.model import Activation, Dictionary, Identity

ESTIMATE_ROWS = 4096  # in float64 at a time
NAMES = ("W_enc", "b_enc", "W_dec", "b_dec")
OPTIONAL = ("log_threshold",)


@dataclass(frozen=True)
class Normalisation:
    """z = (x − mean)/scale, chosen so that z is centred with mean norm √d_model.

    Attributes:
        mean: (d_model,) float32.
        scale: (1,) float32.
        variance: mean ‖z‖² of the sample, what training explained variance is a share of.
    """

    mean: Tensor
    scale: Tensor
    variance: float

    @classmethod
    def estimate(cls, sample: Tensor) -> "Normalisation":
        """Estimate from patches (n, d_model) in the backbone's units, in float64 sums.

        Raises:
            SaecliError: if the patches are all alike.
        """
        n, d_model = sample.shape
        mean = sample.sum(dim=0, dtype=torch.float64) / n
        length, energy = 0.0, 0.0
        for start in range(0, n, ESTIMATE_ROWS):
            centred = sample[start : start + ESTIMATE_ROWS].double() - mean
            length += float(torch.linalg.vector_norm(centred, dim=1).sum())
            energy += float(centred.square().sum())
        scale = length / n / d_model**0.5
        if scale <= 1e-12 * max(1.0, float(mean.abs().max())):
            raise SaecliError(
                "the activations of all patches are alike", "give pictures that show something"
            )
        return cls(mean.float(), torch.tensor([scale]), energy / (n * scale**2))

    def apply(self, x: Tensor) -> Tensor:
        """z (n, d_model) of activations x (n, d_model)."""
        return (x - self.mean) / self.scale

    def to(self, device: torch.device) -> "Normalisation":
        """The same on another device."""
        return Normalisation(self.mean.to(device), self.scale.to(device), self.variance)


@dataclass(frozen=True, eq=False)
class Weights:
    """Parameters with a gradient buffer each, that is written anew at every step.

    Attributes:
        W_enc: (n_latents, d_model), a row for each latent.
        b_enc: (n_latents,).
        W_dec: (n_latents, d_model), unit rows.
        b_dec: (d_model,).
        log_threshold: (n_latents,), where an objective trains thresholds.
    """

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    log_threshold: Tensor | None = None
    _products: Tensor = field(init=False)  # memory for remove_parallel_gradients

    def __post_init__(self) -> None:
        for tensor in self.parameters():
            tensor.grad = torch.zeros_like(tensor)
        object.__setattr__(self, "_products", torch.empty_like(self.W_dec))

    def tensors(self) -> dict[str, Tensor]:
        """The parameters by name, as many as there are."""
        found = {name: getattr(self, name) for name in (*NAMES, *OPTIONAL)}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def parameters(self) -> list[Tensor]:
        """The parameters, in the order of `NAMES` and `OPTIONAL`."""
        return list(self.tensors().values())

    def thresholds(self) -> Tensor:
        """(n_latents,), of an objective that trains them."""
        if self.log_threshold is None:
            raise ValueError("these weights have no thresholds")
        return self.log_threshold.exp()

    def gradient(self, name: str) -> Tensor:
        """The gradient buffer of a parameter."""
        gradient: Tensor = getattr(self, name).grad
        return gradient

    def remove_parallel_gradients(self) -> None:
        """Take from each W_dec row's gradient what lies along the row and so is undone.

        Source: Bricken et al. 2023, "Towards Monosemanticity", appendix on optimisation.
        """
        gradient = self.gradient("W_dec")
        along = torch.mul(gradient, self.W_dec, out=self._products).sum(dim=1, keepdim=True)
        torch.addcmul(gradient, self.W_dec, along, value=-1, out=gradient)

    def renormalise(self) -> None:
        """Bring the rows of W_dec back to unit norm."""
        norms = torch.linalg.vector_norm(self.W_dec, dim=1, keepdim=True)
        self.W_dec.div_(norms.clamp_min_(1e-12))

    def dictionary(
        self,
        normalisation: Normalisation,
        identity: Identity,
        activation: Activation,
        *,
        k: int | None = None,
        threshold: Tensor | None = None,
        prefixes: tuple[int, ...] | None = None,
    ) -> Dictionary:
        """The dictionary that these weights make, a copy on the CPU."""
        return Dictionary(
            W_enc=self.W_enc.detach().cpu().t().contiguous(),
            b_enc=self.b_enc.detach().cpu().clone(),
            W_dec=self.W_dec.detach().cpu().clone(),
            b_dec=self.b_dec.detach().cpu().clone(),
            mean=normalisation.mean.cpu(),
            scale=normalisation.scale.cpu(),
            activation=activation,
            k=k,
            threshold=None if threshold is None else threshold.detach().cpu().clone(),
            prefixes=prefixes,
            identity=identity,
        )


def from_data(z: Tensor, n_latents: int, mix: float, generator: torch.Generator) -> Weights:
    """Start each decoder row near the direction of a patch; the encoder is its transpose.

    Rows are mix · (a patch's direction) + (1 − mix) · (a random direction), of unit norm;
    biases are 0, which in normalised units puts b_dec at the data's mean.

    Args:
        z: (n, d_model) float32 on the CPU, normalised patches to draw from.
        n_latents: how many; patches repeat where there are fewer.
        mix: 0 to 1.
        generator: of the CPU.

    Source: data-point initialisation as in saev (Stevens et al. 2025); transposed encoder:
    Gao et al. 2024, section A.1.
    """
    n, d_model = z.shape
    rounds = [torch.randperm(n, generator=generator) for _ in range(-(-n_latents // n))]
    points = z[torch.cat(rounds)[:n_latents]]
    random = torch.randn(n_latents, d_model, generator=generator)
    W_dec = mix * _unit(points) + (1 - mix) * _unit(random)
    W_dec = _unit(torch.where(W_dec.norm(dim=1, keepdim=True) > 1e-6, W_dec, random))
    return Weights(
        W_enc=W_dec.clone(),
        b_enc=torch.zeros(n_latents),
        W_dec=W_dec,
        b_dec=torch.zeros(d_model),
    )


def best_gain(z: Tensor, reconstruction: Tensor) -> float:
    """The factor on the encoder with which the first reconstruction errs least.

    Activations are positively homogeneous, so a factor on an encoder without bias is a factor
    on the reconstruction; least squares gives the best.
    """
    energy = float(reconstruction.double().square().sum())
    along = float((z.double() * reconstruction.double()).sum())
    return along / energy if energy > 0 and along > 0 else 1.0


def _unit(rows: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / norms.clamp_min(1e-12)
