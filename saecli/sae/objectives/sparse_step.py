"""The loss and gradients of objectives that choose few latents, from the chosen entries alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from saecli.sae.objectives.entries import Entries
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.protocol import Losses
from saecli.sae.weights import Weights


@dataclass(frozen=True)
class SparseLosses:
    """The losses of the reconstruction, and its error (n, d_model), ẑ − z."""

    losses: Losses
    error: Tensor

    def plus(self, more: Tensor) -> Losses:
        """With another term () in the total."""
        mine = self.losses
        return Losses(mine.total + more, mine.squared_error, mine.n_active, mine.fired)


def sparse_step(
    weights: Weights,
    z: Tensor,
    kept: Tensor,
    chosen: Entries,
    prefixes: Prefixes,
    n_patches: int,
    slope: float = 0.0,
) -> SparseLosses:
    """Write every gradient of the reconstruction's loss and of a penalty on the activations.

    Args:
        weights: the parameters.
        z: (n, d_model).
        kept: (m,), the chosen pre-activations; those above 0 are active.
        chosen: where they are, made by ``prefixes``.
        prefixes: the nested dictionaries.
        n_patches: that the mean is over, of which these may be a share.
        slope: weight of Σ f·‖W_dec‖, summed over patches and latents.
    """
    active = kept > 0
    values = kept.relu()
    found = prefixes.measure(chosen.decode(values, weights.W_dec), weights.b_dec, z, n_patches)
    g_values = chosen.products(found.g, weights.W_dec)
    chosen.accumulate(values, found.g, out=weights.gradient("W_dec"))
    total = found.loss
    if slope:
        norms, totals = torch.linalg.vector_norm(weights.W_dec, dim=1), chosen.sums(values)
        weights.gradient("W_dec").addcmul_(weights.W_dec, (slope * totals / norms)[:, None])
        g_values.add_(norms[chosen.latents], alpha=slope)
        total = total + slope * (totals * norms).sum()
    g_values.mul_(active)
    chosen.accumulate(g_values, z, out=weights.gradient("W_enc"))
    weights.gradient("b_enc").copy_(chosen.sums(g_values))
    weights.gradient("b_dec").copy_(found.g_b_dec)
    losses = Losses(
        total=total,
        squared_error=found.squared_error,
        n_active=active.sum(),
        fired=chosen.sums(active.to(z.dtype)) > 0,
    )
    return SparseLosses(losses, found.error)
