"""TopK with the auxiliary loss AuxK.

Source: Gao et al. 2024, "Scaling and evaluating sparse autoencoders", arXiv 2406.04093:
section 2.3 (TopK) and A.2 (AuxK: L + α·‖e − ê‖², e the error of the main reconstruction, taken
as constant, ê the reconstruction of e by the largest k_aux unused latents, without bias).

Only the encoder product is dense; all else is done on the chosen entries.
"""

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.entries import Entries, entries_of
from saecli.sae.objectives.protocol import Buffers, Losses, Precision
from saecli.sae.settings import Plan
from saecli.sae.weights import Weights

SPARE = 8  # more candidates than k, to choose from in float32 after a bf16 encoder product


class TopK:
    """k active latents of each patch; ReLU on what is kept."""

    activation: Activation = "topk"

    def __init__(
        self, k: int, aux_k: int, aux_weight: float, precision: Precision = "float32"
    ) -> None:
        self.k: int | None = k
        self._k = k
        self._aux_k = aux_k
        self._aux_weight = aux_weight
        self._bf16 = precision == "bf16"
        self._buffers = Buffers()

    @classmethod
    def of(cls, plan: Plan, precision: Precision) -> "TopK":
        """The objective of a plan."""
        return cls(plan.k, plan.aux_k, plan.aux_weight, precision)

    def step(self, weights: Weights, z: Tensor, *, unused: Tensor, l1: float) -> Losses:
        """Losses and gradients of a batch; see `Objective.step`. There is no penalty."""
        a, kept, chosen = self._encode(weights, z)
        active = kept > 0
        values = kept.relu()
        error = chosen.decode(values, weights.W_dec).add_(weights.b_dec).sub_(z)
        squared_error = error.square().sum()
        g = error * (2 / z.numel())

        g_values = chosen.products(g, weights.W_dec).mul_(active)
        chosen.accumulate(values, g, out=weights.gradient("W_dec"))
        chosen.accumulate(g_values, z, out=weights.gradient("W_enc"))
        weights.gradient("b_enc").copy_(chosen.sums(g_values))
        torch.sum(g, dim=0, out=weights.gradient("b_dec"))

        total = squared_error / z.numel()
        candidates = unused.nonzero()[:, 0]
        if len(candidates):
            total = total + self._auxk(weights, z, error, a, candidates)
        return Losses(
            total=total,
            squared_error=squared_error,
            n_active=active.sum(),
            fired=chosen.sums(active.to(z.dtype)) > 0,
        )

    def _encode(self, weights: Weights, z: Tensor) -> tuple[Tensor, Tensor, Entries]:
        """All pre-activations, the k kept of each patch, and where they are.

        A bf16 product only proposes candidates; which are kept, and their values, is decided in
        float32. Of equal pre-activations either may be kept: both give a gradient of the loss.
        """
        n_latents = weights.W_enc.shape[0]
        shape = (z.shape[0], n_latents)
        if not self._bf16:
            a = self._buffers.like("a", shape, z)
            torch.addmm(weights.b_enc, z, weights.W_enc.t(), out=a)
            kept, latents = torch.topk(a, self._k, dim=1, sorted=False)
            return a, kept, entries_of(latents, n_latents)
        low = z.bfloat16()
        a = self._buffers.like("a", shape, low)
        torch.addmm(weights.b_enc.bfloat16(), low, weights.W_enc.bfloat16().t(), out=a)
        latents = torch.topk(a, min(self._k + SPARE, n_latents), dim=1, sorted=False).indices
        exact = entries_of(latents, n_latents).products(z, weights.W_enc) + weights.b_enc[latents]
        kept, best = torch.topk(exact, self._k, dim=1, sorted=False)
        return a, kept, entries_of(latents.gather(1, best), n_latents)

    def _auxk(
        self, weights: Weights, z: Tensor, error: Tensor, a: Tensor, candidates: Tensor
    ) -> Tensor:
        """Add AuxK's gradients and return its share of the loss."""
        W_dec = weights.W_dec[candidates]
        f = a[:, candidates].to(z.dtype).relu_()
        if self._aux_k < len(candidates):
            values, latents = torch.topk(f, self._aux_k, dim=1, sorted=False)
            f = torch.zeros_like(f).scatter_(1, latents, values)
        aux_error = torch.addmm(error, f, W_dec)  # ê − e, as e = −error
        g = aux_error * (2 * self._aux_weight / z.numel())
        g_f = (g @ W_dec.t()).mul_(f > 0)
        weights.gradient("W_dec").index_add_(0, candidates, f.t() @ g)
        weights.gradient("W_enc").index_add_(0, candidates, g_f.t() @ z)
        weights.gradient("b_enc").index_add_(0, candidates, g_f.sum(dim=0))
        return aux_error.square().sum() * (self._aux_weight / z.numel())
