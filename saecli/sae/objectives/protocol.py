"""What a trainer asks of an objective."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.ranks import Ranks
from saecli.sae.weights import Weights

Precision = Literal["float32", "bf16"]  # of the encoder product; weights stay float32


@dataclass(frozen=True)
class Losses:
    """Of one batch (or this rank's share of it: the whole's are the sums), on its device.

    Attributes:
        total: (), what is minimised.
        squared_error: (), ‖ẑ − z‖² summed over the patches.
        n_active: (), active latents summed over the patches.
        fired: (n_latents,) bool, active for at least one patch.
    """

    total: Tensor
    squared_error: Tensor
    n_active: Tensor
    fired: Tensor


class Objective(Protocol):
    """A loss with its gradients. The error is a mean over patches and elements."""

    @property
    def activation(self) -> Activation:
        """The activation function of the dictionaries that it trains."""

    @property
    def k(self) -> int | None:
        """Their k, where the activation function has one."""

    def begin(self, weights: Weights, z: Tensor) -> Weights:
        """Weights to start from, with what this objective needs beside the four parameters.

        Called again after the encoder's length was fitted.

        Args:
            weights: as drawn.
            z: (n, d_model), normalised patches to start from.
        """

    def threshold(self, weights: Weights) -> Tensor | None:
        """(n_latents,), of the dictionary that the weights make, where it has thresholds."""

    def state(self) -> Mapping[str, Tensor]:
        """What it keeps from step to step beside the weights."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up a kept state; only the names in `state` are looked at."""

    def step(
        self, weights: Weights, z: Tensor, *, unused: Tensor, warmth: float, ranks: Ranks
    ) -> Losses:
        """Compute the losses and write every gradient buffer of ``weights``.

        Args:
            weights: the parameters.
            z: (n, d_model), normalised, same device and dtype as the weights; with several
                ranks this one's share, of equal size on all.
            unused: (n_latents,) bool, latents to revive.
            warmth: share of the penalty's full weight, 0 to 1.
            ranks: who works on the same batch; gradients are left unsummed.
        """


class Stateless:
    """Of objectives that keep nothing from step to step."""

    def state(self) -> Mapping[str, Tensor]:
        """See `Objective.state`."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Objective.restore`."""


class Buffers:
    """Memory that is used again at every step: fresh pages cost a fifth of a step.

    Dictionaries that are trained in turn share it.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, tuple[int, ...], torch.dtype], Tensor] = {}

    def like(
        self, name: str, shape: Sequence[int], of: Tensor, dtype: torch.dtype | None = None
    ) -> Tensor:
        """An uninitialised tensor on the device of another and, by default, of its dtype."""
        key = (name, tuple(shape), dtype or of.dtype)
        if key not in self._kept:
            self._kept[key] = torch.empty(key[1], dtype=key[2], device=of.device)
        return self._kept[key]


def rounded(weights: Weights, name: str, buffers: Buffers) -> Tensor:
    """A parameter in bf16, in memory that is used again."""
    full: Tensor = getattr(weights, name)
    return buffers.like(name, full.shape, full, torch.bfloat16).copy_(full)


def encode(weights: Weights, z: Tensor, *, bf16: bool, out: Tensor) -> Tensor:
    """All pre-activations z W_encᵀ + b_enc, (n, n_latents) float32, into ``out``.

    A bf16 product has inputs and output rounded; the bias is added in float32.
    """
    if bf16:
        return out.copy_(z.bfloat16() @ weights.W_enc.bfloat16().t()).add_(weights.b_enc)
    return torch.addmm(weights.b_enc, z, weights.W_enc.t(), out=out)
