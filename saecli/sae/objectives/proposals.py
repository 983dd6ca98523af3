"""The k largest pre-activations of each patch, exactly, from a product in bf16.

The bf16 product only proposes: all latents that rounding can't exclude, whose pre-activations are
then computed in float32. Patches whose bound says nothing are computed in float32 in full.

The bound, for z̃ and w̃ rounded to bf16 (relative error at most u = 2⁻⁸), by Cauchy and Schwarz:
|z·w − z̃·w̃| ≤ ‖z − z̃‖·‖w̃‖ + ‖z‖·‖w − w̃‖; sums in float32 add at most d·2⁻²⁴·‖z‖·‖w‖ on either
side, the bias and the result in bf16 another u of each (Higham 2002, "Accuracy and Stability of
Numerical Algorithms", sections 2.2 and 3.1). All norms are of the very patch and latent.
"""

import torch
from torch import Tensor

from saecli.sae.objectives.candidates import Reach, candidates
from saecli.sae.objectives.entries import entries_of
from saecli.sae.weights import Weights

U = 2.0**-8  # bf16 keeps 8 significant bits
FLOAT32 = 2.0**-24
BLOCK = 128  # latents whose rounding is measured at a time, in the processor's cache


def largest_by_bf16(
    weights: Weights, z: Tensor, k: int, *, out: Tensor, low_W: Tensor
) -> tuple[Tensor, Tensor]:
    """The k largest pre-activations of each patch and their latents, both (n, k), in no order.

    Of pre-activations that float32 can't tell apart either may be taken.

    Args:
        weights: the parameters, float32.
        z: (n, d_model) float32.
        k: at most n_latents.
        out: (n, n_latents) bf16, where all pre-activations go, rounded.
        low_W: (n_latents, d_model) bf16, where the rounded encoder goes.
    """
    low_z = z.bfloat16()
    reach = _reach(weights, z, low_z, low_W)
    torch.addmm(weights.b_enc.bfloat16(), low_z, low_W.t(), out=out)
    found = candidates(out, k, reach)
    entries = entries_of(found.starts, found.latents, len(low_W))
    exact = entries.products(z, weights.W_enc) + weights.b_enc[found.latents]
    kept, latents = found.best(exact, k)
    left = found.left
    if len(left):
        full = torch.addmm(weights.b_enc, z[left], weights.W_enc.t())
        kept[left], latents[left] = torch.topk(full, k, dim=1, sorted=False)
    return kept, latents


def _reach(weights: Weights, z: Tensor, low_z: Tensor, low_W: Tensor) -> Reach:
    """What the rounding of factors, bias and sums can add; rounds the encoder on the way."""
    norms = torch.linalg.vector_norm
    lost, lengths = torch.empty_like(weights.b_enc), torch.empty_like(weights.b_enc)
    for start in range(0, len(low_W), BLOCK):
        mine = slice(start, start + BLOCK)
        W = weights.W_enc[mine]
        low_W[mine] = W
        norms(W, dim=1, out=lengths[mine])
        norms(low_W[mine].float().sub_(W), dim=1, out=lost[mine])
    z_length, z_lost = norms(z, dim=1), norms(low_z.float().sub_(z), dim=1)
    lengths += lost  # no less than the rounded row's
    sums = 2 * z.shape[1] * FLOAT32
    rows = torch.stack([z_lost + sums * z_length, z_length, torch.ones_like(z_lost)], dim=1)
    columns = torch.stack([lengths, lost, 2 * U * weights.b_enc.abs()], dim=1)
    return Reach(3 * U, rows, columns)
