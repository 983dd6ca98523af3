"""Recorded activations made of sparse sums of hidden directions, for tests of training."""

import torch

from saecli.activations.recording import Recorded
from saecli.activations.store import Contents
from saecli.grid import Grid
from saecli.images.loading import ImageInfo


def recorded(activations: torch.Tensor, grid: Grid, *, in_ram: bool = True) -> Recorded:
    """A recording of given activations (n_images, n_patches, d_model)."""
    images = [(i, ImageInfo(f"{i:064x}", 16, 16, b"")) for i in range(len(activations))]
    return Recorded(Contents(activations, images, []), grid, in_ram=in_ram)


def sparse_sums(
    n_images: int = 60,
    grid: Grid = Grid(4, 4),
    d_model: int = 16,
    n_hidden: int = 24,
    n_active: int = 2,
    seed: int = 0,
) -> Recorded:
    """Each patch: a mean vector plus ``n_active`` of ``n_hidden`` directions, each 2 to 6 long."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n_hidden, d_model, generator=generator)
    hidden = torch.nn.functional.normalize(hidden, dim=1)
    n = n_images * grid.n_patches
    chosen = torch.rand(n, n_hidden, generator=generator).topk(n_active, dim=1).indices
    amounts = 2 + 4 * torch.rand(n, n_active, generator=generator)
    x = (hidden[chosen] * amounts[..., None]).sum(dim=1) + torch.randn(d_model, generator=generator)
    return recorded(x.view(n_images, grid.n_patches, d_model).half(), grid)
