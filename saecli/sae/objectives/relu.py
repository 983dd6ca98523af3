"""ReLU with an L1 penalty on the activations, each times the norm of its decoder row.

Loss: ‖ẑ − z‖² as a mean over patches and elements, plus λ · (mean over patches of
Σ_l f_l·‖W_dec[l]‖). Rows are kept at unit norm, so the factor only states which gradient is
meant before the part along each row is removed.

Sources: Stevens et al. 2025, arXiv 2502.06755, equations 1 to 3 and Table A1; the norm in the
penalty: Conerly et al. 2024, "Update on how we train SAEs" (Transformer Circuits).
"""

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.protocol import Buffers, Losses, Precision, Stateless, encode
from saecli.sae.plan import Plan
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights


class ReluL1(Stateless):
    """Dense: five products to a step, in memory that is used again."""

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
        shape = (len(z), weights.W_enc.shape[0])
        f = encode(weights, z, bf16=self._bf16, out=self._buffers.like("f", shape, z)).relu_()
        found = self._prefixes.reconstruct(f, weights, z, n_patches)

        norms = torch.linalg.vector_norm(weights.W_dec, dim=1)
        slope = warmth * self._l1 / n_patches
        totals = f.sum(dim=0)
        g_a = self._buffers.like("g_a", shape, z)
        self._prefixes.backward(f, found, weights, g_a)
        weights.gradient("W_dec").addcmul_(weights.W_dec, (slope * totals / norms)[:, None])
        active = f > 0
        g_a.add_(slope * norms).mul_(active)
        torch.mm(g_a.t(), z, out=weights.gradient("W_enc"))
        torch.sum(g_a, dim=0, out=weights.gradient("b_enc"))
        return Losses(
            total=found.loss + slope * (totals * norms).sum(),
            squared_error=found.squared_error,
            n_active=active.sum(),
            fired=totals > 0,
        )
