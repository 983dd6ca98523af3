"""A foreign dictionary as its file has it, and the formula that its own project computes."""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.sae.normalisation import AFFINE, frame
from saecli.sae.selection import largest

LEAST_NORM = 1e-8
"""A decoder row shorter than this writes nothing; it counts as this long."""

UNIT = 1e-6
"""A float32 row that was brought to unit length is so to about 1e-7; it counts as of length 1, so
that weights which come and go unchanged keep their bits."""

Kind = Literal["relu", "topk", "jumprelu", "gated"]


@dataclass(frozen=True)
class Attachment:
    """Where the file says its activations come from; None where it says nothing.

    Attributes:
        layer: the block whose output was read, 0-based.
        model: the model's name, in the words of the file.
    """

    layer: int | None = None
    model: str | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """z = (x − mean)/scale, a = (z − α·c) W + b, f = act(a), x̂ = scale·(f D + c) + mean.

    Attributes:
        format: the project's name, as ``--format`` takes it.
        W: (d_model, n_latents).
        b: (n_latents,); of a gated dictionary the magnitudes' bias.
        D: (n_latents, d_model), rows of any length.
        c: (d_model,), the decoder's bias.
        subtracts: α = 1: the encoder subtracts c.
        activation: ``gated``: magnitudes relu(a_m) of W·e^r where the gate z W + gate_bias > 0.
        k: of topk.
        signed: topk keeps negative values.
        threshold: (n_latents,), of jumprelu.
        inclusive: jumprelu keeps a value that equals its threshold.
        gate_bias: (n_latents,), of gated.
        log_gain: (n_latents,), r of gated.
        ranks_by_norm: selection and thresholds act on a·‖D_j‖ instead of a.
        reports_by_norm: f is reported as a·‖D_j‖ (and decoded along D_j/‖D_j‖).
        normalisation: `affine`, or a rule of each patch (`saecli.sae.normalisation`).
        mean: (d_model,); scale: (); of the affine rule, in the backbone's units.
        prefixes: widths of nested dictionaries, or None.
        attachment: where its activations come from.
        details: what else the file tells, for the record.
        notes: what a user should know of how the file was read.
    """

    format: str
    W: Tensor
    b: Tensor
    D: Tensor
    c: Tensor
    subtracts: bool
    activation: Kind
    k: int | None = None
    signed: bool = False
    threshold: Tensor | None = None
    inclusive: bool = False
    gate_bias: Tensor | None = None
    log_gain: Tensor | None = None
    ranks_by_norm: bool = False
    reports_by_norm: bool = False
    normalisation: str = AFFINE
    mean: Tensor | None = None
    scale: float = 1.0
    prefixes: tuple[int, ...] | None = None
    attachment: Attachment = Attachment()
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def d_model(self) -> int:
        return self.D.shape[1]

    @property
    def n_latents(self) -> int:
        return self.D.shape[0]

    def norms(self) -> Tensor:
        """(n_latents,) float64: decoder rows' lengths, at least `LEAST_NORM`; 1 within `UNIT`."""
        parts = torch.split(self.D, 4096)
        squares = torch.cat([part.double().square().sum(dim=1) for part in parts])
        found = squares.sqrt().clamp_min(LEAST_NORM)
        return torch.where((found - 1).abs() <= UNIT, 1.0, found)

    def check(self) -> None:
        """Return if the tensors fit one another and are finite.

        Raises:
            SaecliError: naming the one that doesn't.
        """
        d_model, n_latents = self.d_model, self.n_latents
        wide, one_each = (d_model,), (n_latents,)
        parts: tuple[tuple[str, Tensor | None, tuple[int, ...]], ...] = (
            ("encoder", self.W, (d_model, n_latents)),
            ("encoder's bias", self.b, one_each),
            ("decoder's bias", self.c, wide),
            ("decoder", self.D, (n_latents, d_model)),
            ("threshold", self.threshold, one_each),
            ("gate's bias", self.gate_bias, one_each),
            ("gate's gain", self.log_gain, one_each),
            ("mean", self.mean, wide),
        )
        for name, tensor, shape in parts:
            if tensor is None:
                continue
            if tuple(tensor.shape) != shape:
                raise SaecliError(
                    f"the {name} is {_times(tuple(tensor.shape))} and should be {_times(shape)}",
                    "check that the file is whole and of the format named",
                )
            if not torch.isfinite(tensor).all():
                raise SaecliError(
                    f"the {name} holds values that aren't finite", "get the file anew"
                )
        if self.k is not None and not 1 <= self.k <= n_latents:
            raise SaecliError(
                f"k = {self.k} of {n_latents} latents can't be kept", "check the file's settings"
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The project's own formula, literally, in float64.

        Args:
            x: (N, d_model) float64, in the backbone's units.

        Returns:
            f (N, n_latents) as the project reports it, x̂ (N, d_model), and how far each entry's
            deciding value is from where it would be kept or dropped (N, n_latents); inf where
            nothing is decided but the sign.
        """
        z, frame_of = self._normalised(x)
        if self.subtracts:
            z = z - self.c.double()
        n = self.norms()
        if self.activation == "gated":
            assert self.gate_bias is not None
            assert self.log_gain is not None
            before = z @ self.W.double()
            gate = before + self.gate_bias.double()
            magnitude = before * self.log_gain.double().exp() + self.b.double()
            f, margin = (gate > 0) * magnitude.relu(), gate.abs()
        else:
            a = z @ self.W.double() + self.b.double()
            f, margin = self._activated(a, a * n if self.ranks_by_norm else a)
        x_hat = f @ self.D.double() + self.c.double()
        x_hat = x_hat * frame_of[1] + frame_of[0]
        return (f * n if self.reports_by_norm else f), x_hat, margin

    def _activated(self, a: Tensor, ranked: Tensor) -> tuple[Tensor, Tensor]:
        if self.activation == "relu":
            return a.relu(), torch.full_like(a, torch.inf)
        if self.activation == "topk":
            assert self.k is not None
            values, places = largest(ranked, self.k)
            kept = torch.zeros_like(a).scatter_(1, places, 1.0)
            margin = (ranked - values[:, -1:]).abs()
            return (a if self.signed else a.relu()) * kept, margin
        assert self.threshold is not None
        threshold = self.threshold.double()
        kept = ranked >= threshold if self.inclusive else ranked > threshold
        return a.relu() * kept, (ranked - threshold).abs()

    def _normalised(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """z, and what x̂ is shifted and multiplied by on the way back."""
        if self.normalisation != AFFINE:
            patch = frame(self.normalisation, x)
            return (x - patch.centre) / patch.divisor, (patch.centre, patch.scale)
        mean = torch.zeros(1).double() if self.mean is None else self.mean.double()
        scale = torch.tensor([self.scale], dtype=torch.float64)
        return (x - mean) / scale, (mean, scale)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"
