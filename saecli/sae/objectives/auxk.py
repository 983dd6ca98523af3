"""AuxK: unused latents learn to reconstruct what the main reconstruction misses.

Source: Gao et al. 2024, arXiv 2406.04093, section A.2: α·‖e − ê‖², e the error of the main
reconstruction, taken as constant, ê the reconstruction of e by the largest k_aux unused latents,
without bias. Bussmann et al. 2024 and 2025 use the same.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from saecli.sae.weights import Weights


@dataclass(frozen=True)
class AuxK:
    """``k`` latents to a patch, the loss weighted by ``weight`` (α)."""

    k: int
    weight: float

    def add(
        self,
        weights: Weights,
        z: Tensor,
        error: Tensor,
        a: Tensor,
        unused: Tensor,
        n_patches: int,
    ) -> Tensor:
        """Add AuxK's gradients to the buffers and return its share of the loss, ().

        Args:
            weights: the parameters.
            z: (n, d_model).
            error: (n, d_model), ẑ − z.
            a: (n, n_latents), all pre-activations, of any dtype.
            unused: (n_latents,) bool.
            n_patches: that the mean is over, of which these may be a share.
        """
        candidates = unused.nonzero()[:, 0]
        if not len(candidates):
            return z.new_zeros(())
        W_dec = weights.W_dec[candidates]
        f = a[:, candidates].to(z.dtype).relu_()
        if self.k < len(candidates):
            values, latents = torch.topk(f, self.k, dim=1, sorted=False)
            f = torch.zeros_like(f).scatter_(1, latents, values)
        aux_error = torch.addmm(error, f, W_dec)  # ê − e, as e = −error
        terms = n_patches * z.shape[1]
        g = aux_error * (2 * self.weight / terms)
        g_f = (g @ W_dec.t()).mul_(f > 0)
        weights.gradient("W_dec").index_add_(0, candidates, f.t() @ g)
        weights.gradient("W_enc").index_add_(0, candidates, g_f.t() @ z)
        weights.gradient("b_enc").index_add_(0, candidates, g_f.sum(dim=0))
        return aux_error.square().sum() * (self.weight / terms)
