"""The k largest pre-activations of each patch, exactly, from a product in bf16.

The bf16 product only proposes: half as many latents again as are wanted, whose pre-activations
are then computed in float32. That no other latent belongs among the k largest is proved for each
patch by a bound on what rounding can hide; patches without the proof are computed in float32 in
full.

The bound, for z̃ and w̃ rounded to bf16 (relative error at most u = 2⁻⁸), by Cauchy and Schwarz:
|z·w − z̃·w̃| ≤ ‖z − z̃‖·‖w̃‖ + ‖z‖·‖w − w̃‖; sums in float32 add at most d·2⁻²⁴·‖z‖·‖w‖ on either
side, the bias and the result in bf16 another u of each (Higham 2002, "Accuracy and Stability of
Numerical Algorithms", sections 2.2 and 3.1).
"""

import torch
from torch import Tensor

from saecli.sae.objectives.entries import entries_of, even_starts
from saecli.sae.weights import Weights

U = 2.0**-8  # bf16 keeps 8 significant bits
FLOAT32 = 2.0**-24
FEWEST_SPARE = 8


def largest_by_bf16(weights: Weights, z: Tensor, k: int, *, out: Tensor) -> tuple[Tensor, Tensor]:
    """The k largest pre-activations of each patch and their latents, both (n, k), in no order.

    Of pre-activations that float32 can't tell apart either may be taken.

    Args:
        weights: the parameters, float32.
        z: (n, d_model) float32.
        k: at most n_latents.
        out: (n, n_latents) bf16, where all pre-activations go, rounded.
    """
    n_latents = weights.W_enc.shape[0]
    low_z, low_w = z.bfloat16(), weights.W_enc.bfloat16()
    torch.addmm(weights.b_enc.bfloat16(), low_z, low_w.t(), out=out)
    n_proposed = min(k + max(FEWEST_SPARE, k // 2), n_latents)
    proposed, latents = torch.topk(out, n_proposed, dim=1, sorted=False)
    entries = entries_of(even_starts(latents), latents.flatten(), n_latents)
    exact = entries.products(z, weights.W_enc) + weights.b_enc[entries.latents]
    kept, best = torch.topk(exact.view(latents.shape), k, dim=1, sorted=False)
    latents = latents.gather(1, best)
    if n_proposed < n_latents:
        least = proposed.amin(dim=1).float()  # no latent that wasn't proposed is above it in bf16
        most = least + 3 * U * least.abs() + _reach(weights, z, low_z, low_w)
        unproven = (kept.amin(dim=1) < most).nonzero()[:, 0]
        if len(unproven):
            full = torch.addmm(weights.b_enc, z[unproven], weights.W_enc.t())
            kept[unproven], latents[unproven] = torch.topk(full, k, dim=1, sorted=False)
    return kept, latents


def _reach(weights: Weights, z: Tensor, low_z: Tensor, low_w: Tensor) -> Tensor:
    """(n,): what the rounding of factors, bias and sums can add to a patch's pre-activation."""
    norms = torch.linalg.vector_norm
    lengths = norms(z, dim=1)
    longest = norms(low_w.float(), dim=1).max()
    lost = norms(weights.W_enc - low_w, dim=1).max()
    sums = 2 * z.shape[1] * FLOAT32 * lengths * (longest + lost)
    bias = 2 * U * weights.b_enc.abs().max()
    reach: Tensor = norms(z - low_z, dim=1) * longest + lengths * lost + sums + bias
    return reach
