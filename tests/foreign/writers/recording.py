"""What every writer shares: random weights, and the library's own answers beside its files.

Needs torch and NumPy alone, so that it runs in every library's environment.
"""

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

D_MODEL, N_LATENTS, N_PATCHES = 8, 20, 12


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rows(seed: int) -> torch.Tensor:
    """A decoder (n_latents, d_model) with rows of very different lengths."""
    return normal(N_LATENTS, D_MODEL, seed=seed) * torch.linspace(0.3, 2.5, N_LATENTS)[:, None]


def patches(seed: int = 99) -> torch.Tensor:
    """Activations (n_patches, d_model) away from the origin, of spread 2."""
    return 2 * normal(N_PATCHES, D_MODEL, seed=seed) + 0.5


@torch.no_grad()
def record(
    folder: Path,
    package: str,
    encode: Callable[[torch.Tensor], torch.Tensor],
    decode: Callable[[torch.Tensor], torch.Tensor],
    *,
    version: str | None = None,
) -> None:
    """Write the library's latents and reconstruction of some patches, and its version."""
    x = patches()
    f = encode(x)
    np.savez(folder / "expected.npz", x=x.numpy(), f=f.numpy(), x_hat=decode(f).detach().numpy())
    versions = {package: version or importlib.metadata.version(package), "torch": torch.__version__}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
