"""TopK with the auxiliary loss AuxK.

Source: Gao et al. 2024, "Scaling and evaluating sparse autoencoders", arXiv 2406.04093:
section 2.3 (TopK) and A.2 (AuxK, see `auxk`).

Only the encoder product is dense; all else is done on the chosen entries.
"""

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.auxk import AuxK
from saecli.sae.objectives.entries import Entries, entries_of, even_starts
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.protocol import Buffers, Losses, Precision, Stateless, encode
from saecli.sae.objectives.sparse_step import sparse_step
from saecli.sae.plan import Plan
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights

SPARE = 8  # more candidates than k, to choose from in float32 after a bf16 encoder product


class TopK(Stateless):
    """k active latents of each patch; ReLU on what is kept."""

    sparsity = ("k",)  # the settings that choose it
    activation: Activation = "topk"

    def __init__(
        self,
        prefixes: Prefixes,
        k: int,
        auxk: AuxK,
        precision: Precision = "float32",
        buffers: Buffers | None = None,
    ) -> None:
        self.k: int | None = k
        self._k = k
        self._prefixes = prefixes
        self._auxk = auxk
        self._bf16 = precision == "bf16"
        self._buffers = buffers or Buffers()

    @classmethod
    def of(cls, plan: Plan, precision: Precision, buffers: Buffers) -> "TopK":
        """The objective of a plan."""
        return cls(
            Prefixes(plan.widths), plan.k, AuxK(plan.aux_k, plan.aux_weight), precision, buffers
        )

    def begin(self, weights: Weights, z: Tensor) -> Weights:
        """See `Objective.begin`."""
        return weights

    def threshold(self, weights: Weights) -> Tensor | None:
        """See `Objective.threshold`: there is none."""
        return None

    def step(
        self, weights: Weights, z: Tensor, *, unused: Tensor, warmth: float, ranks: Ranks
    ) -> Losses:
        """Losses and gradients of a batch; see `Objective.step`. There is no penalty."""
        n_patches = len(z) * ranks.size
        a, kept, chosen = self._encode(weights, z)
        done = sparse_step(weights, z, kept, chosen, self._prefixes, n_patches)
        return done.plus(self._auxk.add(weights, z, done.error, a, unused, n_patches))

    def _encode(self, weights: Weights, z: Tensor) -> tuple[Tensor, Tensor, Entries]:
        """All pre-activations, the k kept of each patch in a row (n · k,), and where they are.

        A bf16 product only proposes candidates; which are kept, and their values, is decided in
        float32. Of equal pre-activations either may be kept: both give a gradient of the loss.
        """
        n_latents = weights.W_enc.shape[0]
        shape = (len(z), n_latents)
        if not self._bf16:
            a = encode(weights, z, bf16=False, out=self._buffers.like("a", shape, z))
            kept, latents = torch.topk(a, self._k, dim=1, sorted=False)
        else:
            low = z.bfloat16()
            a = self._buffers.like("a", shape, low)
            torch.addmm(weights.b_enc.bfloat16(), low, weights.W_enc.bfloat16().t(), out=a)
            proposed = min(self._k + SPARE, n_latents)
            latents = torch.topk(a, proposed, dim=1, sorted=False).indices
            candidates = entries_of(even_starts(latents), latents.flatten(), n_latents)
            exact = candidates.products(z, weights.W_enc) + weights.b_enc[candidates.latents]
            kept, best = torch.topk(exact.view(latents.shape), self._k, dim=1, sorted=False)
            latents = latents.gather(1, best)
        if self._prefixes.n_groups > 1:
            latents, order = latents.sort(dim=1)
            kept = kept.gather(1, order)
        return a, kept.flatten(), self._prefixes.entries(even_starts(latents), latents.flatten())
