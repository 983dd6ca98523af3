"""TopK with the auxiliary loss AuxK.

Source: Gao et al. 2024, "Scaling and evaluating sparse autoencoders", arXiv 2406.04093:
section 2.3 (TopK) and A.2 (AuxK, see `auxk`).

Only the encoder product is dense; all else is done on the chosen entries.
"""

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.auxk import AuxK
from saecli.sae.objectives.candidates import k_largest
from saecli.sae.objectives.entries import Entries, even_starts
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.proposals import largest_by_bf16
from saecli.sae.objectives.protocol import Buffers, Losses, Precision, Stateless, encode
from saecli.sae.objectives.sparse_step import sparse_step
from saecli.sae.plan import Plan
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights


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

        With a bf16 product, which are kept and their values are float32's all the same; all
        pre-activations, from which AuxK takes, are bf16's. Of equal ones either may be kept: both
        give a gradient of the loss.
        """
        shape = (len(z), len(weights.W_enc))
        if self._bf16:
            a = self._buffers.like("a", shape, z, torch.bfloat16)
            low_W = self._buffers.like("W", weights.W_enc.shape, z, torch.bfloat16)
            kept, latents = largest_by_bf16(weights, z, self._k, out=a, low_W=low_W)
        else:
            a = encode(weights, z, bf16=False, out=self._buffers.like("a", shape, z))
            kept, latents = k_largest(a, self._k)
        if self._prefixes.n_groups > 1:
            latents, order = latents.sort(dim=1)
            kept = kept.gather(1, order)
        return a, kept.flatten(), self._prefixes.entries(even_starts(latents), latents.flatten())
