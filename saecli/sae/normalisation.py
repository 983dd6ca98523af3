"""Input normalisations that differ from patch to patch, as some foreign dictionaries have them.

`affine`, the rule of saecli's own dictionaries, is z = (x − mean)/scale with one mean vector and
one scale. The others take both from the patch itself:

- `layer_norm:EPS`: z = (x − m)/(s + EPS), x̂ = s·ẑ + m, m and s the mean and the unbiased standard
  deviation over the patch's entries. ε stands on the way in only, as in SAELens 6 and ViT-Prisma 2.
- `norm_rescale`: z = x/q, x̂ = q·ẑ, q = ‖x‖/√d_model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from saecli.errors import SaecliError

AFFINE = "affine"
LAYER_NORM = "layer_norm"
NORM_RESCALE = "norm_rescale"


@dataclass(frozen=True)
class PatchFrame:
    """What each patch is centred and divided by, and scaled by on the way back; all (…, 1)."""

    centre: Tensor
    divisor: Tensor
    scale: Tensor


def layer_norm(eps: float) -> str:
    """The name of the rule with its ε."""
    return f"{LAYER_NORM}:{eps:g}"


def is_known(rule: str) -> bool:
    """Whether this saecli can compute a rule."""
    if rule in (AFFINE, NORM_RESCALE):
        return True
    name, colon, eps = rule.partition(":")
    try:
        return name == LAYER_NORM and bool(colon) and float(eps) >= 0
    except ValueError:
        return False


def frame(rule: str, x: Tensor) -> PatchFrame:
    """The frame of each patch of x (…, d_model) under a rule that is not affine.

    Raises:
        SaecliError: if the rule is unknown, or affine and so no rule of the patch.
    """
    name, _, eps = rule.partition(":")
    if name == NORM_RESCALE:
        q = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / x.shape[-1] ** 0.5
        return PatchFrame(torch.zeros_like(q), q, q)
    if name != LAYER_NORM:
        raise SaecliError(f"'{rule}' is no normalisation of each patch by itself", "update saecli")
    centre = x.mean(dim=-1, keepdim=True)
    spread = x.std(dim=-1, keepdim=True)
    return PatchFrame(centre, spread + float(eps), spread)
