"""JumpReLU with an L0 penalty, its thresholds trained by straight-through estimators.

f = a·1[a > θ]; loss: ‖ẑ − z‖² as a mean over patches and elements, plus λ · (mean over patches of
the number of active latents). Neither the jump nor the count has a useful derivative by θ; in
its place stands that of their expectation, estimated with the rectangle kernel K of width ε:
∂f/∂θ = −(θ/ε)·K((a − θ)/ε) and ∂1[a > θ]/∂θ = −(1/ε)·K((a − θ)/ε). By a the jump has its ordinary
derivative 1[a > θ] and the count none. log θ is what is trained.

Source: Rajamanoharan et al. 2024, "Jumping Ahead", arXiv 2407.14435: equations 3 to 6, 11 and 12,
appendix J. There patches are scaled to ‖z‖² = 1 in the mean and the squared error is a sum over
elements; here the mean norm is √d_model, so its λ means the same, and ε, 0.001 there, is larger by
√d_model. There every θ starts at 0.001 and has 10⁵ steps to grow in. Here they start where k
latents of a patch are active in the mean, so that runs of a thousand steps are sparse, too.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.cuts import cut_of
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.protocol import Buffers, Losses, Precision, Stateless, encode
from saecli.sae.plan import Plan
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights

SMALLEST = 1e-3  # of the first thresholds, whose logarithm is trained


class JumpRelu(Stateless):
    """Dense: five products to a step, in memory that is used again."""

    sparsity = ("l0", "k")  # the settings that choose it
    activation: Activation = "jumprelu"
    k: int | None = None

    def __init__(
        self,
        prefixes: Prefixes,
        l0: float,
        bandwidth: float,
        first_k: int,
        precision: Precision = "float32",
        buffers: Buffers | None = None,
    ) -> None:
        self._prefixes = prefixes
        self._l0 = l0
        self._bandwidth = bandwidth
        self._first_k = first_k
        self._bf16 = precision == "bf16"
        self._buffers = buffers or Buffers()

    @classmethod
    def of(cls, plan: Plan, precision: Precision, buffers: Buffers) -> "JumpRelu":
        """The objective of a plan."""
        return cls(Prefixes(plan.widths), plan.l0, plan.bandwidth, plan.k, precision, buffers)

    def begin(self, weights: Weights, z: Tensor) -> Weights:
        """See `Objective.begin`: every threshold starts alike."""
        a = torch.addmm(weights.b_enc, z, weights.W_enc.t())
        first = max(cut_of(a, len(z) * self._first_k), SMALLEST)
        return replace(weights, log_threshold=torch.full_like(weights.b_enc, math.log(first)))

    def threshold(self, weights: Weights) -> Tensor | None:
        """See `Objective.threshold`."""
        return weights.thresholds()

    def step(
        self, weights: Weights, z: Tensor, *, unused: Tensor, warmth: float, ranks: Ranks
    ) -> Losses:
        """Losses and gradients of a batch; see `Objective.step`. Nothing is revived."""
        n_patches = len(z) * ranks.size
        shape = (len(z), weights.W_enc.shape[0])
        theta = weights.thresholds()
        a = encode(weights, z, bf16=self._bf16, out=self._buffers.like("a", shape, z))
        active = a > theta
        f = torch.mul(a, active, out=self._buffers.like("f", shape, z))
        found = self._prefixes.reconstruct(f, weights.W_dec, weights.b_dec, z, n_patches)

        g_f = self._buffers.like("g_f", shape, z)
        self._prefixes.backward(f, found, weights.W_dec, weights, g_f)
        slope = warmth * self._l0 / n_patches
        near = a.sub_(theta).abs_() < self._bandwidth / 2
        torch.mul(g_f, near, out=a)
        g_theta = (theta * a.sum(dim=0) + slope * near.sum(dim=0, dtype=z.dtype)) / -self._bandwidth
        torch.mul(theta, g_theta, out=weights.gradient("log_threshold"))
        g_f.mul_(active)
        torch.mm(g_f.t(), z, out=weights.gradient("W_enc"))
        torch.sum(g_f, dim=0, out=weights.gradient("b_enc"))
        n_active = torch.count_nonzero(f)  # a sum of booleans takes ten times as long
        return Losses(
            total=found.loss + slope * n_active.to(z.dtype),
            squared_error=found.squared_error,
            n_active=n_active,
            fired=active.any(dim=0),
        )
