"""When each latent was last active: a running window over patches that no epoch resets."""

import torch
from torch import Tensor


class Activity:
    """Counts, for each latent, the patches since it was last active.

    ``idle`` is (n_latents,) int64; a latent never active has been idle for all patches seen.
    """

    def __init__(self, n_latents: int, device: torch.device | str = "cpu") -> None:
        self.idle = torch.zeros(n_latents, dtype=torch.int64, device=device)
        self.seen = 0

    def update(self, fired: Tensor, n_patches: int) -> None:
        """Add a batch of patches; ``fired`` (n_latents,) bool says which were active in it."""
        self.idle += n_patches
        self.idle.masked_fill_(fired, 0)
        self.seen += n_patches

    def unused(self, n_patches: int) -> Tensor:
        """(n_latents,) bool: not active in the last ``n_patches`` patches, if so many were seen."""
        return self.idle >= n_patches

    def dead_fraction(self, window: int) -> float:
        """Share of latents not active in the last ``window`` patches, or in all seen if fewer."""
        return float(self.unused(max(1, min(window, self.seen))).double().mean())
