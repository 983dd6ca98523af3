"""What a trainer asks of an objective."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from saecli.sae.model import Activation
from saecli.sae.weights import Weights

Precision = Literal["float32", "bf16"]  # of the encoder product; weights stay float32


@dataclass(frozen=True)
class Losses:
    """Of one batch, on its device.

    Attributes:
        total: (), what is minimised.
        squared_error: (), ‖ẑ − z‖² summed over the batch.
        n_active: (), active latents summed over the batch.
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

    def step(self, weights: Weights, z: Tensor, *, unused: Tensor, l1: float) -> Losses:
        """Compute the losses and write every gradient buffer of ``weights``.

        Args:
            weights: the parameters.
            z: (n, d_model), normalised, same device and dtype as the weights.
            unused: (n_latents,) bool, latents to revive.
            l1: the present weight of the penalty, where there is one.
        """


class Buffers:
    """Memory that is used again at every step: fresh pages cost a fifth of a step."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def like(self, name: str, shape: tuple[int, int], of: Tensor) -> Tensor:
        """An uninitialised tensor of this shape, of the dtype and device of another."""
        kept = self._kept.get(name)
        if kept is None or kept.shape != shape or kept.dtype != of.dtype:
            kept = self._kept[name] = torch.empty(shape, dtype=of.dtype, device=of.device)
        return kept
