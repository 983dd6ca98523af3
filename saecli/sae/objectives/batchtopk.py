"""BatchTopK: of a batch of n patches the n·k largest activations, however they fall on patches.

A dictionary must encode a patch by itself. Its threshold is the mean over batches of the smallest
activation kept, so that it keeps k in the mean: a JumpReLU with one threshold for all latents.

Source: Bussmann et al. 2024, "BatchTopK Sparse Autoencoders", arXiv 2412.06410, section 3, with
AuxK as there. The mean runs over about the last twentieth of the batches seen by the end (a
hundred at most): the weights of earlier ones were others.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.objectives.auxk import AuxK
from saecli.sae.objectives.cuts import cut_of
from saecli.sae.objectives.entries import starts_of
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.protocol import Buffers, Losses, Precision, encode
from saecli.sae.objectives.sparse_step import sparse_step
from saecli.sae.plan import Plan
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights

AVERAGED = 100  # batches that the threshold is a running mean of, at most
SHARE_AVERAGED = 20  # of the run's steps one in so many
GUESS = 0.9  # times the last batch's cut: what is smaller is looked at only if that was too much


class BatchTopK:
    """k active latents of a patch in the mean; ReLU on what is kept."""

    sparsity = ("k",)  # the settings that choose it
    activation: Activation = "jumprelu"
    k: int | None = None

    def __init__(
        self,
        prefixes: Prefixes,
        k: int,
        auxk: AuxK,
        precision: Precision = "float32",
        averaged: int = AVERAGED,
        buffers: Buffers | None = None,
    ) -> None:
        self._prefixes = prefixes
        self._k = k
        self._auxk = auxk
        self._bf16 = precision == "bf16"
        self._buffers = buffers or Buffers()
        self._threshold = torch.zeros((), dtype=torch.float64)
        self._averaged = averaged
        self._n_batches = 0
        self._guess = 0.0

    @classmethod
    def of(cls, plan: Plan, precision: Precision, buffers: Buffers) -> "BatchTopK":
        """The objective of a plan."""
        auxk = AuxK(plan.aux_k, plan.aux_weight)
        averaged = max(1, min(AVERAGED, plan.n_steps // SHARE_AVERAGED))
        return cls(Prefixes(plan.widths), plan.k, auxk, precision, averaged, buffers)

    def begin(self, weights: Weights, z: Tensor) -> Weights:
        """See `Objective.begin`: the threshold that these patches give until the first step."""
        a = torch.addmm(weights.b_enc, z, weights.W_enc.t())
        self._threshold.fill_(cut_of(a, len(z) * self._k))
        self._n_batches = 0
        return weights

    def threshold(self, weights: Weights) -> Tensor | None:
        """See `Objective.threshold`: one for all latents."""
        return torch.full_like(weights.b_enc, float(self._threshold))

    def state(self) -> Mapping[str, Tensor]:
        """See `Objective.state`."""
        return {"threshold": self._threshold, "n_batches": torch.tensor(self._n_batches)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Objective.restore`."""
        self._threshold.copy_(state["threshold"])
        self._n_batches = int(state["n_batches"])

    def step(
        self, weights: Weights, z: Tensor, *, unused: Tensor, warmth: float, ranks: Ranks
    ) -> Losses:
        """Losses and gradients of a batch; see `Objective.step`. There is no penalty."""
        n_patches = len(z) * ranks.size
        shape = (len(z), weights.W_enc.shape[0])
        a = encode(weights, z, bf16=self._bf16, out=self._buffers.like("a", shape, z))
        cut = self._cut(a, ranks)
        rows, latents = (a >= cut).nonzero(as_tuple=True)
        kept = a[rows, latents]
        chosen = self._prefixes.entries(starts_of(rows, len(z)), latents)
        done = sparse_step(weights, z, kept, chosen, self._prefixes, n_patches)
        if cut < torch.inf:
            self._n_batches += 1
            self._threshold += (cut - self._threshold) / min(self._n_batches, self._averaged)
        return done.plus(self._auxk.add(weights, z, done.error, a, unused, n_patches))

    def _cut(self, a: Tensor, ranks: Ranks) -> float:
        """The n·k-th largest pre-activation, or the smallest positive where fewer are positive,
        infinity where none is.

        Equal ones at the cut are all kept. Only what exceeds a guess is looked at, as long as
        that is enough.
        """
        wanted = len(a) * ranks.size * self._k
        above = ranks.gather(a[a > self._guess])
        if len(above) < wanted:
            above = ranks.gather(a[a > 0])
        cut = cut_of(above, wanted)
        self._guess = GUESS * cut if cut < torch.inf else 0.0
        return cut
