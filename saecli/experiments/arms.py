"""The arms of an experiment: what each does to a batch of recorded pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor

from saecli.backbones.protocol import LayerOutput
from saecli.experiments.interventions import (
    UNCHANGED,
    Edit,
    coefficients,
    displacement,
    format_scope,
    with_norm_of,
)
from saecli.sae.model import Dictionary

Kind = Literal[
    "target",
    "zero_edit",
    "other_latents",
    "random_directions",
    "own_knockout",
    "reconstruction",
    "mean_ablation",
    "twin",
    "dose",
    "dose_push",
]


@dataclass(frozen=True, eq=False)
class Encoded:
    """A batch of pictures at the edited layer.

    Args:
        output: (b, T, d_model), what the backbone recorded.
        x: (b, P, d_model), its patches in the dictionary's dtype.
        f: (b, P, n_latents), their activations.
        twin: the same for the pictures' counterfactual twins, where there are any.
    """

    output: LayerOutput
    x: Tensor
    f: Tensor
    twin: LayerOutput | None = None
    _latest: list[tuple[LatentArm, Move]] = field(default_factory=list, init=False)

    @classmethod
    def of(
        cls, dictionary: Dictionary, output: LayerOutput, twin: LayerOutput | None = None
    ) -> Encoded:
        x = output.patches.to(dictionary.dtype)
        return cls(output, x, dictionary.encode(x), twin)

    def move(self, arm: LatentArm) -> Move:
        """What an edit does to the batch; the latest is kept for the pushes of its size."""
        if not self._latest or self._latest[0][0] is not arm:
            self._latest[:] = [(arm, arm.move(self))]
        return self._latest[0][1]

    def displaced(self, move: Move, by: Tensor) -> LayerOutput:
        """The recorded output with the patches that an edit touches moved by (n, d_model)."""
        tokens, n_patches = self.output.tokens.clone(), self.x.shape[1]
        picture, patch = move.places // n_patches, move.places % n_patches
        tokens[picture, self.output.n_prefix + patch] += by.to(tokens.dtype)
        return LayerOutput(tokens, self.output.n_prefix)


@dataclass(frozen=True, eq=False)
class Move:
    """How an edit moves the patches that it touches.

    Args:
        places: (n,) int64, their numbers in the batch, picture after picture.
        coefficients: (n, K), how far along each latent, in the SAE's units.
        displacement: (n, d_model), in the backbone's units.
    """

    places: Tensor
    coefficients: Tensor
    displacement: Tensor


class Arm(Protocol):
    """One thing done to every picture alike."""

    @property
    def kind(self) -> Kind: ...
    @property
    def number(self) -> int:
        """Counts arms of one kind from 0."""

    @property
    def description(self) -> dict[str, Any]:
        """What distinguishes it from others of its kind, as JSON."""

    def apply(self, batch: Encoded) -> LayerOutput:
        """The layer's output under this arm."""


@dataclass(frozen=True, eq=False)
class LatentArm:
    """An edit of latents: the target's, the zero edit, mean ablation, another latent's knock-out.

    Args:
        reference: (K,), see :func:`saecli.experiments.interventions.coefficients`.
    """

    kind: Kind
    number: int
    dictionary: Dictionary
    edit: Edit
    reference: Tensor
    directions: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.edit.check(self.dictionary)
        object.__setattr__(self, "directions", self.dictionary.W_dec[list(self.edit.latents)])
        object.__setattr__(self, "reference", self.reference.to(self.directions))

    @property
    def description(self) -> dict[str, Any]:
        return {
            "latents": list(self.edit.latents),
            "value": str(self.edit.value),
            "scope": format_scope(self.edit.scope),
        }

    def coefficients(self, batch: Encoded) -> Tensor:
        """(b, P, K), in the SAE's units."""
        f = batch.f[..., list(self.edit.latents)]
        return coefficients(f, self.edit.value, self.edit.scope, self.reference)

    def move(self, batch: Encoded) -> Move:
        """The patches that the edit touches, and how it moves them."""
        moved = self.coefficients(batch).flatten(0, 1)
        places = (moved != 0).any(dim=-1).nonzero()[:, 0]
        moved = moved[places]
        along = displacement(moved, self.directions, self.dictionary.scale)
        return Move(places, moved, along)

    def apply(self, batch: Encoded) -> LayerOutput:
        move = batch.move(self)
        return batch.displaced(move, move.displacement)


@dataclass(frozen=True, eq=False)
class ZeroArm:
    """The target's edit with v = f: its patches, moved by nothing, through the same code."""

    target: LatentArm
    kind: Kind = "zero_edit"
    number: int = 0

    @property
    def description(self) -> dict[str, Any]:
        return {**self.target.description, "value": str(UNCHANGED)}

    def apply(self, batch: Encoded) -> LayerOutput:
        target, move = self.target, batch.move(self.target)
        edit = Edit(target.edit.latents, UNCHANGED, target.edit.scope)
        f = batch.f[..., list(edit.latents)]
        nothing = coefficients(f, edit.value, edit.scope, target.reference)
        nothing = nothing.flatten(0, 1)[move.places]
        return batch.displaced(
            move, displacement(nothing, target.directions, target.dictionary.scale)
        )


@dataclass(frozen=True, eq=False)
class PushArm:
    """A control of equal size: the target's coefficients along other directions.

    On every patch the push has exactly the norm of the target's edit there (up to rounding).

    Args:
        target: the arm it is a control of.
        directions: (K, d_model) of unit norm; the k-th gets the target's coefficient order[k].
        order: a permutation of 0 … K − 1.
        description: where the directions come from.
    """

    kind: Kind
    number: int
    target: LatentArm
    directions: Tensor
    order: tuple[int, ...]
    description: dict[str, Any]

    def apply(self, batch: Encoded) -> LayerOutput:
        move = batch.move(self.target)
        moved = move.coefficients[:, list(self.order)]
        push = displacement(moved, self.directions, self.target.dictionary.scale)
        return batch.displaced(move, with_norm_of(push, move.displacement))


@dataclass(frozen=True, eq=False)
class ReconstructionArm:
    """x → x̂ on every patch, with no latent touched: what the dictionary's error alone does."""

    dictionary: Dictionary
    kind: Kind = "reconstruction"
    number: int = 0

    @property
    def description(self) -> dict[str, Any]:
        return {}

    def apply(self, batch: Encoded) -> LayerOutput:
        decoded = self.dictionary.decode(batch.f)
        return batch.output.with_patches(decoded.to(batch.output.tokens.dtype))


@dataclass(frozen=True, eq=False)
class TwinArm:
    """The counterfactual twin picture itself: what really changing the attribute does."""

    kind: Kind = "twin"
    number: int = 0

    @property
    def description(self) -> dict[str, Any]:
        return {}

    def apply(self, batch: Encoded) -> LayerOutput:
        if batch.twin is None:
            raise ValueError("a twin arm needs the twins' recorded outputs")
        return batch.twin
