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
from saecli.sae.objectives.protocol import Buffers, Losses, Precision
from saecli.sae.settings import Plan
from saecli.sae.weights import Weights


class ReluL1:
    """Dense: five products to a step, in memory that is used again."""

    activation: Activation = "relu"
    k: int | None = None

    def __init__(self, precision: Precision = "float32") -> None:
        self._bf16 = precision == "bf16"
        self._buffers = Buffers()

    @classmethod
    def of(cls, plan: Plan, precision: Precision) -> "ReluL1":
        """The objective of a plan."""
        return cls(precision)

    def step(self, weights: Weights, z: Tensor, *, unused: Tensor, l1: float) -> Losses:
        """Losses and gradients of a batch; see `Objective.step`. Nothing is revived."""
        shape = (z.shape[0], weights.W_enc.shape[0])
        f = self._buffers.like("f", shape, z)
        g_f = self._buffers.like("g_f", shape, z)
        if self._bf16:
            f.copy_(z.bfloat16() @ weights.W_enc.bfloat16().t()).add_(weights.b_enc)
        else:
            torch.addmm(weights.b_enc, z, weights.W_enc.t(), out=f)
        f.relu_()
        error = torch.addmm(weights.b_dec, f, weights.W_dec).sub_(z)
        squared_error = error.square().sum()
        g = error * (2 / z.numel())

        norms = torch.linalg.vector_norm(weights.W_dec, dim=1)
        slope = l1 / z.shape[0]
        totals = f.sum(dim=0)
        torch.mm(f.t(), g, out=weights.gradient("W_dec"))
        weights.gradient("W_dec").addcmul_(weights.W_dec, (slope * totals / norms)[:, None])
        torch.addmm(slope * norms, g, weights.W_dec.t(), out=g_f)
        active = f > 0
        g_f.mul_(active)
        torch.mm(g_f.t(), z, out=weights.gradient("W_enc"))
        torch.sum(g_f, dim=0, out=weights.gradient("b_enc"))
        torch.sum(g, dim=0, out=weights.gradient("b_dec"))
        return Losses(
            total=squared_error / z.numel() + slope * (totals * norms).sum(),
            squared_error=squared_error,
            n_active=active.sum(),
            fired=totals > 0,
        )
