"""The edit: set some latents of a layer's activations to chosen values and change nothing else.

``x'_p = x_p + scale · Σ_l (v_l − f_l(x_p)) · W_dec[l]``: the SAE's error term stays, and so do the
decoder terms of all other latents (Stevens et al. 2025, arXiv 2502.06755, and its code saev keep
the error term too; ``scale`` is ours, for dictionaries with normalised input). Encoding x' again
does not give exactly v: the residual is measured, not assumed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.refs import parse_patches
from saecli.sae.model import Dictionary
from saecli.sae.normalisation import AFFINE

_VALUE = re.compile(r"(scale|set):([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")

Scope = Literal["active", "all"] | tuple[int, ...]
"""``active``: each latent only on patches where it fires itself (f ≠ 0); ``all``: every patch;
or the patches' numbers."""


LARGEST = 10_000.0  # times an activation: far beyond what flips everything


@dataclass(frozen=True)
class Value:
    """What latents are set to.

    ``ablate`` is 0; ``scale`` is amount · f; ``set`` is amount · max_l, max_l the latent's largest
    activation over the profiled image set; ``mean`` is the latent's mean activation over all of
    that set's patches (mean ablation), a control rather than something to ask for.
    """

    kind: Literal["ablate", "scale", "set", "mean"]
    amount: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Value:
        """Read ``ablate``, ``scale:S`` or ``set:C``.

        Raises:
            SaecliError: if the text has another form.
        """
        if text == "ablate":
            return cls("ablate")
        found = _VALUE.fullmatch(text.strip())
        if not found:
            raise SaecliError(
                f"'{text}' is no value for a latent",
                "write ablate, scale:0.5 (times its activation) or set:-2 (times its maximum)",
                usage=True,
            )
        amount = float(found[2])
        if abs(amount) > LARGEST:
            raise SaecliError(
                f"'{text}' is more than a network can tell from noise",
                f"choose at most {LARGEST:g} times; the paper's sliders go to 20",
                usage=True,
            )
        return cls("scale" if found[1] == "scale" else "set", amount)

    def of(self, latents: str) -> str:
        """The edit in words: ``setting clip:3 to 2 times their largest activation``."""
        if self.kind == "mean":
            return f"setting {latents} to their mean activation"
        if self.kind == "ablate" or self.amount == 0:
            return f"suppressing {latents}"
        what = "activation" if self.kind == "scale" else "largest activation"
        return f"setting {latents} to {self.amount:g} times their {what}"

    def __str__(self) -> str:
        return self.kind if self.kind in ("ablate", "mean") else f"{self.kind}:{self.amount:g}"


UNCHANGED = Value("scale", 1.0)
"""v = f: the zero edit, through the same code as every other."""


def parse_scope(text: str, grid: Grid) -> Scope:
    """Read ``active``, ``all`` or a patch list such as ``3,4,10-13``.

    Raises:
        SaecliError: if the text has another form, or a patch lies beyond the grid.
    """
    if text == "active":
        return "active"
    if text == "all":
        return "all"
    if not text[:1].isdigit():
        raise SaecliError(
            f"'{text}' is no scope", "write active, all, or patches as in 3,4,10-13", usage=True
        )
    return grid.check(parse_patches(text))


def format_scope(scope: Scope) -> str:
    """The text that :func:`parse_scope` reads."""
    return scope if isinstance(scope, str) else ",".join(map(str, scope))


def coefficients(f: Tensor, value: Value, scope: Scope, reference: Tensor) -> Tensor:
    """How far each latent is to move on each patch: v − f within the scope, 0 outside.

    Args:
        f: (..., P, K) activations of the edited latents, in the SAE's units.
        value: what to set them to.
        scope: where.
        reference: (K,) the latents' maxima for ``set``, their means for ``mean``; else unused.

    Returns:
        (..., P, K), same dtype.
    """
    if value.kind == "ablate":
        moved = -f
    elif value.kind == "scale":
        moved = value.amount * f - f
    elif value.kind == "set":
        moved = value.amount * reference - f
    else:
        moved = reference - f
    if scope == "all":
        return moved
    if scope == "active":
        return torch.where(f != 0, moved, 0.0)
    inside = torch.zeros(f.shape[-2], dtype=torch.bool, device=f.device)
    inside[list(scope)] = True
    return torch.where(inside[:, None], moved, 0.0)


def displacement(moved: Tensor, directions: Tensor, scale: Tensor) -> Tensor:
    """scale · Σ_l moved_l · directions_l.

    Args:
        moved: (..., P, K), in the SAE's units.
        directions: (K, d_model), of unit norm.
        scale: (1,), the dictionary's input scale.

    Returns:
        (..., P, d_model), in the backbone's units.
    """
    return scale * (moved @ directions)


def with_norm_of(pushed: Tensor, edit: Tensor) -> Tensor:
    """``pushed`` (..., P, d_model), each patch rescaled to the norm of the edit on it.

    Where the push is zero it stays zero.
    """
    norm = torch.linalg.vector_norm(pushed, dim=-1, keepdim=True)
    wanted = torch.linalg.vector_norm(edit, dim=-1, keepdim=True)
    return pushed * torch.where(norm > 0, wanted / norm, 0.0)


@dataclass(frozen=True)
class Edit:
    """Latents of one dictionary, what they are set to, and where."""

    latents: tuple[int, ...]
    value: Value
    scope: Scope

    def check(self, dictionary: Dictionary) -> None:
        """Return if the dictionary has these latents and allows the edit.

        Raises:
            SaecliError: if there is none, one is beyond the dictionary, or its input
                normalisation differs from patch to patch.
        """
        if not self.latents:
            raise SaecliError("there is no latent to edit", "name at least one")
        beyond = [latent for latent in self.latents if not 0 <= latent < dictionary.n_latents]
        if beyond:
            raise SaecliError(
                f"latent {beyond[0]} is beyond the dictionary's {dictionary.n_latents}",
                f"give latents from 0 to {dictionary.n_latents - 1}",
                usage=True,
            )
        if dictionary.normalisation != AFFINE:
            raise SaecliError(
                f"the dictionary normalises each patch by itself ({dictionary.normalisation})",
                "knock out latents of a dictionary with one input scale",
            )
