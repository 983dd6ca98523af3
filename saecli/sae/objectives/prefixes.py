"""Matryoshka: nested dictionaries, each of which must reconstruct by itself.

Source: Bussmann et al. 2025, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders",
arXiv 2503.17547, section 3: the loss is the sum over prefixes of ‖z − (f[:w] W_dec[:w] + b_dec)‖²,
with f computed once, of all latents. Here it is the mean over prefixes, so that the penalties'
weights mean the same with and without them. One prefix, the whole dictionary, is the plain loss.

Latents between two widths form a group. What a group adds takes part in its own and all wider
prefixes, so its gradient is the sum of theirs.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from saecli.sae.objectives.entries import Entries, entries_of, rows_of, starts_of
from saecli.sae.weights import Weights


@dataclass(frozen=True)
class Reconstruction:
    """Of one batch.

    Attributes:
        error: (n, d_model), ẑ − z of the whole dictionary.
        squared_error: (), its square summed.
        loss: (), mean over prefixes, patches and elements.
        g: (n · groups, d_model), the loss's gradient by what each group adds to each patch.
        g_b_dec: (d_model,), by the bias.
    """

    error: Tensor
    squared_error: Tensor
    loss: Tensor
    g: Tensor
    g_b_dec: Tensor


class Prefixes:
    """The widths of nested dictionaries, ascending; the last is all latents."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        self.widths = widths
        self.groups = list(pairwise((0, *widths)))

    @property
    def n_groups(self) -> int:
        return len(self.widths)

    def entries(self, starts: Tensor, latents: Tensor) -> Entries:
        """Entries with a row for each patch and group; a patch's latents must ascend.

        Args:
            starts: (n + 1,), where each patch's latents begin.
            latents: (m,).
        """
        n_latents = self.widths[-1]
        if self.n_groups > 1:
            ends = torch.tensor(self.widths, device=latents.device)
            group = torch.searchsorted(ends, latents, right=True)
            patches = rows_of(starts, len(latents))
            n_rows = (len(starts) - 1) * self.n_groups
            starts = starts_of(patches * self.n_groups + group, n_rows)
        return entries_of(starts, latents, n_latents)

    def measure(self, parts: Tensor, b_dec: Tensor, z: Tensor, n_patches: int) -> Reconstruction:
        """The loss of a reconstruction and its gradients.

        Args:
            parts: (n · groups, d_model), what each group adds to each patch; overwritten.
            b_dec: (d_model,).
            z: (n, d_model).
            n_patches: that the mean is over, of which these may be a share.
        """
        n, d_model = z.shape
        if self.n_groups == 1:
            error = parts.add_(b_dec).sub_(z)
            squared_error = error.square().sum()
            g = error * (2 / (n_patches * d_model))
            loss = squared_error / (n_patches * d_model)
            return Reconstruction(error, squared_error, loss, g, g.sum(dim=0))
        errors = parts.view(n, self.n_groups, d_model).cumsum(dim=1)
        errors += (b_dec - z)[:, None]
        squares = errors.square().sum(dim=(0, 2))
        terms = n_patches * d_model * self.n_groups
        g = (errors * (2 / terms)).flip(1).cumsum(dim=1).flip(1)  # of own and wider prefixes
        return Reconstruction(
            error=errors[:, -1],
            squared_error=squares[-1],
            loss=squares.sum() / terms,
            g=g.view(-1, d_model),
            g_b_dec=g[:, 0].sum(dim=0),
        )

    def reconstruct(
        self, f: Tensor, W_dec: Tensor, b_dec: Tensor, z: Tensor, n_patches: int
    ) -> Reconstruction:
        """The loss of dense activations f (n, n_latents), and its gradients by group.

        f and W_dec are of one dtype, float32 or bf16; sums over patches are z's.
        """
        if self.n_groups == 1:
            return self.measure((f @ W_dec).to(z.dtype), b_dec, z, n_patches)
        parts = z.new_empty(len(z), self.n_groups, z.shape[1])
        for group, (first, end) in enumerate(self.groups):
            parts[:, group] = f[:, first:end] @ W_dec[first:end]
        return self.measure(parts.view(-1, z.shape[1]), b_dec, z, n_patches)

    def backward(
        self, f: Tensor, found: Reconstruction, W_dec: Tensor, weights: Weights, g_f: Tensor
    ) -> None:
        """Write the gradients of W_dec and b_dec, and into ``g_f`` (n, n_latents) those of f.

        f, W_dec and g_f are of one dtype.
        """
        g = found.g.view(len(f), self.n_groups, -1).to(f.dtype)
        for group, (first, end) in enumerate(self.groups):
            mine = g[:, group]
            product(f[:, first:end].t(), mine, out=weights.gradient("W_dec")[first:end])
            torch.mm(mine, W_dec[first:end].t(), out=g_f[:, first:end])
        weights.gradient("b_dec").copy_(found.g_b_dec)


def product(one: Tensor, other: Tensor, *, out: Tensor) -> None:
    """Write a matrix product, also of bf16 factors into a wider dtype."""
    if one.dtype == out.dtype:
        torch.mm(one, other, out=out)
    else:
        out.copy_(one @ other)
