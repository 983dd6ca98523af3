"""From a foreign dictionary to saecli's form, the function unchanged, and the proof that it is.

With n_j = ‖D_j‖: W_enc = W·diag(n), b_enc = n ⊙ (b − α·c W), W_dec = D_j/n_j, b_dec = c,
θ' = n ⊙ θ, and so f' = n ⊙ f. That is exact for every positively homogeneous activation; topk keeps
the old ranking by ``select_scale`` = 1/n. A gated dictionary is a jumprelu one: with gains e^r,
z W + b_gate > 0 where z W e^r + b_mag > b_mag − e^r b_gate.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.foreign.source import LEAST_NORM, Source
from saecli.sae.model import Dictionary, Identity

TOLERANCE = 1e-5  # of the largest value, or of 1 where that is larger
ROWS = 32  # random patches that the proof runs on
MOST_UNDECIDED = 0.1  # share of those that rounding may decide
_UNIFORM = 1e-6  # relative spread of norms below which a ranking by 1/n is the plain one
_DOUBLINGS = 12


@dataclass(frozen=True)
class Proof:
    """How far the imported dictionary is from its source's formula.

    Attributes:
        n_patches: random patches compared.
        latents: largest difference of f' from n ⊙ f, as a share of the largest value (at least 1).
        reconstruction: the same of x̂.
        l0: mean active latents of these patches: what was compared isn't nothing.
    """

    n_patches: int
    latents: float
    reconstruction: float
    l0: float


def convert(source: Source, identity: Identity) -> Dictionary:
    """The dictionary in saecli's form, on the CPU, in float32.

    Raises:
        SaecliError: if the tensors don't fit one another or aren't finite.
    """
    source.check()
    n = source.norms()
    b, threshold, kind = source.b.double(), source.threshold, source.activation
    gain = n
    if kind == "gated":
        assert source.gate_bias is not None
        assert source.log_gain is not None
        growth = source.log_gain.double().exp()
        gain = n * growth
        threshold = (b - growth * source.gate_bias.double()).clamp_min(0)
    if source.subtracts:
        shift = torch.cat(
            [source.c.double() @ part.double() for part in torch.split(source.W, 4096, 1)]
        )
        b = b - shift * (gain / n)
    theta = None
    if threshold is not None:
        theta = (threshold.double() if source.ranks_by_norm else n * threshold.double()).float()
    return Dictionary(
        W_enc=_scaled(source.W, gain, 1),
        b_enc=(n * b).float(),
        W_dec=_unit_rows(source.D, n),
        b_dec=source.c.float().clone(),
        mean=torch.zeros(source.d_model) if source.mean is None else source.mean.float().clone(),
        scale=torch.tensor([source.scale], dtype=torch.float32),
        activation="jumprelu" if kind == "gated" else kind,
        identity=identity,
        k=source.k if kind == "topk" else None,
        threshold=theta if kind in ("jumprelu", "gated") else None,
        select_scale=_select_scale(source, n),
        topk_signed=source.signed,
        threshold_inclusive=source.inclusive,
        normalisation=source.normalisation,
        prefixes=source.prefixes,
    )


def prove(source: Source, dictionary: Dictionary, seed: int = 0) -> Proof:
    """Compare the imported dictionary with its source's formula on random patches, in float64.

    An entry that is kept or dropped by less than the tolerance is decided by rounding; such patches
    are set aside where the two differ in it.

    Raises:
        SaecliError: if the functions differ by more than the tolerance, or nothing fires.
    """
    x, f, x_hat, margin = _firing(source, seed)
    n = torch.ones(1).double() if source.reports_by_norm else source.norms()
    exact = dictionary.to(dtype=torch.float64)
    mine = exact.encode(x)
    expected = n * f
    unit = max(1.0, float(expected.abs().max()))
    differs = (mine - expected).abs() > TOLERANCE * unit
    by_rounding = differs & (margin * n <= 10 * TOLERANCE * unit)
    aside = by_rounding.any(dim=1)
    if float(aside.double().mean()) > MOST_UNDECIDED:
        raise _unequal(source, "too many latents are kept or dropped by rounding alone")
    rows = ~aside
    latents = float((mine - expected)[rows].abs().max()) / unit
    rebuilt = exact.decode(mine, x)
    size = max(1.0, float(x_hat.abs().max()))
    reconstruction = float((rebuilt - x_hat)[rows].abs().max()) / size
    if not max(latents, reconstruction) <= TOLERANCE:
        raise _unequal(
            source, f"they differ by {latents:.1e} in a latent, {reconstruction:.1e} rebuilt"
        )
    return Proof(
        int(rows.sum()), latents, reconstruction, float((f != 0).sum(dim=1).double().mean())
    )


def _firing(source: Source, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random patches around the decoder's bias, far enough from it to activate latents."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(ROWS, source.d_model, generator=generator, dtype=torch.float64)
    spread = float(source.c.double().square().mean().sqrt()) or 1.0
    middle = torch.zeros(source.d_model).double() if source.mean is None else source.mean.double()
    for _ in range(_DOUBLINGS):
        x = middle + source.scale * (source.c.double() + spread * noise)
        f, x_hat, margin = source.forward(x)
        if float((f != 0).sum()) >= ROWS:
            return x, f, x_hat, margin
        spread *= 2
    raise SaecliError(
        f"the {source.format} dictionary activates nothing, however large its input",
        "check that its encoder isn't empty",
    )


def _select_scale(source: Source, n: Tensor) -> Tensor | None:
    if source.activation != "topk" or source.ranks_by_norm:
        return None
    if float(n.max() / n.min()) - 1 <= _UNIFORM:
        return None
    return (1 / n).float()


def _unit_rows(D: Tensor, n: Tensor) -> Tensor:
    """D_j/n_j; a row that writes nothing gets some direction, its latent being next to nothing."""
    rows = _scaled(D, 1 / n, 0)
    empty = n <= LEAST_NORM
    rows[empty] = 0
    rows[empty, 0] = 1
    return rows


def _scaled(matrix: Tensor, factors: Tensor, dim: int) -> Tensor:
    """matrix times factors along a dimension, in float64, a part at a time; float32."""
    out = torch.empty(matrix.shape, dtype=torch.float32)
    for start in range(0, len(matrix), 1024):
        part = matrix[start : start + 1024].double()
        along = factors[start : start + 1024, None] if dim == 0 else factors
        out[start : start + 1024] = part * along
    return out


def _unequal(source: Source, how: str) -> SaecliError:
    return SaecliError(
        f"the imported dictionary isn't the function that the {source.format} file states: {how}",
        "nothing was written; report the file's format to saecli's authors",
    )
