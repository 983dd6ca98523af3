"""How often and how strongly latents fire on an experiment's own pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.sae.model import Dictionary

MOST_ACTIVATIONS = 2**24  # numbers of f held at once: 64 MB in float32


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts and sums over patches, per latent.

    Args:
        n_patches: of all pictures together.
        n_active: (n_latents,) int64, patches with f > 0.
        total: (n_latents,) float64, Σ f over them, in the SAE's units.
    """

    n_patches: int
    n_active: npt.NDArray[np.int64]
    total: npt.NDArray[np.float64]

    @property
    def density(self) -> npt.NDArray[np.float64]:
        """(n_latents,) share of patches with f > 0."""
        return self.n_active / max(self.n_patches, 1)

    @property
    def mean_activation(self) -> npt.NDArray[np.float64]:
        """(n_latents,) mean over those; 0 for a latent that never fires."""
        return self.total / np.maximum(self.n_active, 1)


def chunks(x: Tensor, n_latents: int) -> Iterable[Tensor]:
    """Patches (..., d_model) as pieces (n, d_model) whose activations fit the bound."""
    return torch.split(x.reshape(-1, x.shape[-1]), max(1, MOST_ACTIVATIONS // n_latents))


def measure(dictionary: Dictionary, batches: Iterable[Tensor]) -> Activity:
    """Encode patches (b, P, d_model), batch after batch, and count."""
    n_patches = 0
    n_active = torch.zeros(dictionary.n_latents, dtype=torch.int64, device=dictionary.device)
    total = np.zeros(dictionary.n_latents)
    with torch.no_grad():
        for batch in batches:
            for x in chunks(batch, dictionary.n_latents):
                f = dictionary.encode(x.to(dictionary.device, dictionary.dtype))
                n_patches += len(f)
                n_active += (f > 0).sum(dim=0)
                total += f.clamp_min(0.0).sum(dim=0).cpu().double().numpy()
    return Activity(n_patches, n_active.cpu().numpy(), total)
