"""ReLU with an L1 penalty on the activations, each times the norm of its decoder row.

Loss: ‖ẑ − z‖² as a mean over patches and elements, plus λ · (mean over patches of
Σ_l f_l·‖W_dec[l]‖). Rows are kept at unit norm, so the factor only states which gradient is
meant before the part along each row is removed.

Sources: Stevens et al. 2025, arXiv 2502.06755, equations 1 to 3 and Table A1; the norm in the
penalty: Conerly et al. 2024, "Update on how we train SAEs" (Transformer Circuits).
"""

import numpy as np
import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.entries import starts_of
from saecli.sae.objectives.prefixes import Prefixes, product
from saecli.sae.objectives.protocol import (
    Buffers,
    Losses,
    Precision,
    Stateless,
    encode,
    rounded,
)
from saecli.sae.objectives.sparse_step import sparse_step
from saecli.sae.plan import Plan
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights

SPARSE = {"float32": 0.08, "bf16": 0.04}  # measured: up to this share active, entries are faster


class ReluL1(Stateless):
    """Dense while many latents are active: five products to a step, in memory that is used again.

    Once few are (on the CPU), only the encoder's product is dense and the active entries do the
    rest, as in TopK. In bf16 the factors and results of dense products are rounded.
    """

    sparsity = ("l1",)  # the settings that choose it
    activation: Activation = "relu"
    k: int | None = None

    def __init__(
        self,
        prefixes: Prefixes,
        l1: float,
        precision: Precision = "float32",
        buffers: Buffers | None = None,
    ) -> None:
        self._prefixes = prefixes
        self._l1 = l1
        self._bf16 = precision == "bf16"
        self._sparse = SPARSE[precision]
        self._buffers = buffers or Buffers()

    @classmethod
    def of(cls, plan: Plan, precision: Precision, buffers: Buffers) -> "ReluL1":
        """The objective of a plan."""
        return cls(Prefixes(plan.widths), plan.l1, precision, buffers)

    def begin(self, weights: Weights, z: Tensor) -> Weights:
        """See `Objective.begin`."""
        return weights

    def threshold(self, weights: Weights) -> Tensor | None:
        """See `Objective.threshold`: there is none."""
        return None

    def step(
        self, weights: Weights, z: Tensor, *, unused: Tensor, warmth: float, ranks: Ranks
    ) -> Losses:
        """Losses and gradients of a batch; see `Objective.step`. Nothing is revived."""
        n_patches = len(z) * ranks.size
        slope = warmth * self._l1 / n_patches
        f = self._encode(weights, z)
        n_active = torch.count_nonzero(f.view(torch.int16) if self._bf16 else f)
        if z.device.type == "cpu" and n_active <= self._sparse * f.numel():
            return self._by_entries(weights, z, f, slope, n_patches)
        W_dec = rounded(weights, "W_dec", self._buffers) if self._bf16 else weights.W_dec
        found = self._prefixes.reconstruct(f, W_dec, weights.b_dec, z, n_patches)

        norms = torch.linalg.vector_norm(weights.W_dec, dim=1)
        totals = _sums(f).to(z.dtype)
        g_a = self._buffers.like("g_a", f.shape, f)
        self._prefixes.backward(f, found, W_dec, weights, g_a)
        weights.gradient("W_dec").addcmul_(weights.W_dec, (slope * totals / norms)[:, None])
        g_a.add_((slope * norms).to(g_a.dtype))
        torch.ops.aten.threshold_backward.grad_input(g_a, f, 0, grad_input=g_a)  # 0 where f is
        product(g_a.t(), z.to(g_a.dtype), out=weights.gradient("W_enc"))
        weights.gradient("b_enc").copy_(_sums(g_a))
        return Losses(
            total=found.loss + slope * (totals * norms).sum(),
            squared_error=found.squared_error,
            n_active=n_active,
            fired=totals > 0,
        )

    def _encode(self, weights: Weights, z: Tensor) -> Tensor:
        """Activations (n, n_latents), in bf16 where that is the precision."""
        shape = (len(z), len(weights.W_enc))
        if not self._bf16:
            return encode(weights, z, bf16=False, out=self._buffers.like("f", shape, z)).relu_()
        f = self._buffers.like("f", shape, z, torch.bfloat16)
        W_enc = rounded(weights, "W_enc", self._buffers)
        return torch.addmm(weights.b_enc.bfloat16(), z.bfloat16(), W_enc.t(), out=f).relu_()

    def _by_entries(
        self, weights: Weights, z: Tensor, f: Tensor, slope: float, n_patches: int
    ) -> Losses:
        at, n_latents = torch.from_numpy(np.flatnonzero((f > 0).numpy())), f.shape[1]
        rows = torch.div(at, n_latents, rounding_mode="floor")
        kept = f.view(-1)[at].to(z.dtype)
        chosen = self._prefixes.entries(starts_of(rows, len(z)), at - rows * n_latents)
        return sparse_step(weights, z, kept, chosen, self._prefixes, n_patches, slope).losses


def _sums(f: Tensor) -> Tensor:
    """(n_latents,): over the patches; of bf16 by a product, which adds up in float32."""
    return f.sum(dim=0) if f.dtype != torch.bfloat16 else (f.new_ones(1, len(f)) @ f)[0]
