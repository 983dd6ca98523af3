"""How well a dictionary reconstructs activations, and how sparsely."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from saecli.errors import SaecliError
from saecli.sae.model import Dictionary

_ENTRIES = 1 << 24  # of a dense (patches, latents) block: 64 MB in float32


@dataclass(frozen=True)
class Evaluation:
    """Of one dictionary over one set of patches; formulas of `evaluate`.

    Attributes:
        explained_variance: 1 − fvu.
        fvu: fraction of variance unexplained.
        l0: mean active latents to a patch.
        dead_fraction: share of latents active for none of these patches.
        density: (n_latents,) float64 on the CPU, share of patches with f > 0.
        n_patches: how many there were.
    """

    explained_variance: float
    fvu: float
    l0: float
    dead_fraction: float
    density: Tensor
    n_patches: int


class Evaluator:
    """Sums up batch by batch; formulas of `evaluate`."""

    def __init__(self, dictionary: Dictionary) -> None:
        device = dictionary.device
        self._dictionary = dictionary
        self._exact = torch.float64 if device.type != "mps" else torch.float32  # no float64 there
        self._counts = torch.zeros(dictionary.n_latents, dtype=torch.int64, device=device)
        self._offsets = torch.zeros(dictionary.d_model, dtype=self._exact, device=device)
        self._error, self._spread, self._n_patches = 0.0, 0.0, 0

    def add(self, batch: Tensor) -> None:
        """Take in patches (…, d_model), in the backbone's units."""
        dictionary = self._dictionary
        patches = batch.reshape(-1, dictionary.d_model)
        rows = max(1, _ENTRIES // dictionary.n_latents)
        for start in range(0, len(patches), rows):
            x = patches[start : start + rows].to(dictionary.device, dictionary.dtype)
            reconstruction, active = _reconstruct(dictionary, x)
            self._counts += active
            centred = (x - dictionary.mean).to(self._exact)
            self._offsets += centred.sum(dim=0)
            self._spread += float(centred.square().sum())
            self._error += float((x - reconstruction).to(self._exact).square().sum())
            self._n_patches += len(x)

    def finish(self) -> Evaluation:
        """The figures over all patches.

        Raises:
            SaecliError: if there are no patches, or they are all alike.
        """
        n_patches, spread = self._n_patches, self._spread
        if n_patches == 0:
            raise SaecliError(
                "none of the pictures to evaluate on could be read", "give more readable pictures"
            )
        variance = spread - float(self._offsets.square().sum()) / n_patches
        if variance <= 1e-12 * spread:
            raise SaecliError(
                f"{n_patches} patches that are all alike can't be evaluated on",
                "give pictures that show something",
            )
        density = self._counts.cpu().double() / n_patches
        return Evaluation(
            explained_variance=1 - self._error / variance,
            fvu=self._error / variance,
            l0=float(density.sum()),
            dead_fraction=float((density == 0).double().mean()),
            density=density,
            n_patches=n_patches,
        )


def evaluate(dictionary: Dictionary, batches: Iterable[Tensor]) -> Evaluation:
    """Evaluate over all patches at once: FVU = Σ‖x − x̂‖² / Σ‖x − m‖².

    m is the mean vector of the whole set, and the ratio is one of two float64 sums. One pass
    suffices: with any fixed c, Σ‖x − m‖² = Σ‖x − c‖² − n‖m − c‖², and c is the dictionary's
    mean, near m, so that nothing cancels.

    Args:
        dictionary: on any device.
        batches: (…, d_model) each, in the backbone's units.

    Raises:
        SaecliError: if there are no patches, or they are all alike.
    """
    evaluator = Evaluator(dictionary)
    for batch in batches:
        evaluator.add(batch)
    return evaluator.finish()


def _reconstruct(dictionary: Dictionary, x: Tensor) -> tuple[Tensor, Tensor]:
    """x̂ (n, d_model), and how many patches each latent is active for."""
    if dictionary.activation != "topk":
        f = dictionary.encode(x)
        return dictionary.decode(f, x), (f > 0).sum(dim=0)
    values, latents = dictionary.encode_sparse(x)
    decoded = embedding_bag(latents, dictionary.W_dec, per_sample_weights=values, mode="sum")
    active = torch.bincount(latents[values > 0], minlength=dictionary.n_latents)
    return dictionary.denormalise(decoded + dictionary.b_dec, x), active
