"""The dictionary: one trained sparse autoencoder together with its identity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.sae.normalisation import AFFINE, frame
from saecli.sae.selection import largest

if TYPE_CHECKING:
    from saecli.activations.manifest import Described

Activation = Literal["relu", "topk", "jumprelu"]


@dataclass(frozen=True)
class Identity:
    """What a dictionary was trained on; with anything else it must not compute.

    Attributes:
        backbone: the backbone's name, as the user gave it.
        backbone_digest: SHA-256 of its weights, configuration and image transform.
        image_transform: the canonical description of its preprocessing.
        layer: the residual block whose output was read, 0-based, resolved.
        tokens: the token set; only patch tokens.
        d_model: width of an activation.
        grid: rows and columns of patches.
        untrained: True if the backbone's weights were random (the untrained twin).
    """

    backbone: str
    backbone_digest: str
    image_transform: str
    layer: int
    tokens: Literal["patches"]
    d_model: int
    grid: tuple[int, int]
    untrained: bool = False

    @classmethod
    def of(cls, backbone: Described, layer: int, *, untrained: bool = False) -> Identity:
        """The identity of a dictionary trained on a resolved layer of a backbone."""
        return cls(
            backbone=backbone.name,
            backbone_digest=backbone.digest,
            image_transform=backbone.image_transform,
            layer=layer,
            tokens="patches",
            d_model=backbone.d_model,
            grid=(backbone.grid.rows, backbone.grid.columns),
            untrained=untrained,
        )


@dataclass(frozen=True, eq=False)
class Dictionary:
    """f = act(z W_enc + b_enc), z = (x − mean)/scale, x̂ = scale·(f W_dec + b_dec) + mean.

    Attributes:
        W_enc: (d_model, n_latents).
        b_enc: (n_latents,).
        W_dec: (n_latents, d_model), rows of unit norm.
        b_dec: (d_model,), in normalised units.
        mean: (d_model,), in the backbone's units.
        scale: (1,), in the backbone's units.
        activation: ``relu``; ``topk``: the k largest pre-activations, the rest 0;
            ``jumprelu``: pre-activations above a threshold, the rest 0.
        identity: what it was trained on.
        k: active latents of a patch at most (topk).
        threshold: (n_latents,) (jumprelu).
        select_scale: (n_latents,) or None; topk ranks by pre-activation times this.
        topk_signed: topk keeps negative values that are among the k largest.
        threshold_inclusive: jumprelu keeps a pre-activation that equals the threshold.
        normalisation: ``affine``, or a rule of `saecli.sae.normalisation` that takes mean and
            scale from each patch; then ``mean`` is 0 and ``scale`` 1.
        prefixes: widths of the nested dictionaries (Matryoshka), or None.
    """

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    mean: Tensor
    scale: Tensor
    activation: Activation
    identity: Identity
    k: int | None = None
    threshold: Tensor | None = None
    select_scale: Tensor | None = None
    topk_signed: bool = False
    threshold_inclusive: bool = False
    normalisation: str = AFFINE
    prefixes: tuple[int, ...] | None = None

    @property
    def n_latents(self) -> int:
        return self.W_dec.shape[0]

    @property
    def d_model(self) -> int:
        return self.W_dec.shape[1]

    @property
    def device(self) -> torch.device:
        return self.W_dec.device

    @property
    def dtype(self) -> torch.dtype:
        return self.W_dec.dtype

    def normalise(self, x: Tensor) -> Tensor:
        """z (…, d_model) of activations x (…, d_model) in the backbone's units."""
        if self.normalisation == AFFINE:
            return (x - self.mean) / self.scale
        patch = frame(self.normalisation, x)
        return (x - patch.centre) / patch.divisor

    def denormalise(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        """Bring ẑ (…, d_model) back into the backbone's units.

        Args:
            z: (…, d_model), normalised.
            x: (…, d_model), the activations that were encoded; needed where the normalisation
                is a rule of each patch.

        Raises:
            SaecliError: if they are needed and not given.
        """
        if self.normalisation == AFFINE:
            return self.scale * z + self.mean
        if x is None:
            raise SaecliError(
                f"the dictionary normalises each patch by itself ({self.normalisation})",
                "decode with the activations that were encoded",
            )
        patch = frame(self.normalisation, x)
        return patch.scale * z + patch.centre

    def scale_of(self, x: Tensor) -> Tensor:
        """Units of the backbone to one unit of z: (1,), or (…, 1) of patches x (…, d_model)."""
        return self.scale if self.normalisation == AFFINE else frame(self.normalisation, x).scale

    def preactivations(self, x: Tensor) -> Tensor:
        """z W_enc + b_enc, (…, n_latents), of activations x (…, d_model)."""
        z = self.normalise(x)
        flat = torch.addmm(self.b_enc, z.reshape(-1, self.d_model), self.W_enc)
        return flat.view(*x.shape[:-1], self.n_latents)

    def encode(self, x: Tensor) -> Tensor:
        """The latents' activations f, dense.

        Args:
            x: (…, d_model), in the backbone's units; this dictionary's dtype and device.

        Returns:
            (…, n_latents), in the SAE's units.
        """
        return self.activate(self.preactivations(x))

    def activate(self, a: Tensor) -> Tensor:
        """f (…, n_latents) of pre-activations a, of the same shape."""
        if self.activation == "topk":
            flat = a.view(-1, self.n_latents)
            values, indices = self.select(flat)
            return torch.zeros_like(flat).scatter_(1, indices, values).view(a.shape)
        f = a.relu()
        if self.threshold is not None:
            kept = a >= self.threshold if self.threshold_inclusive else a > self.threshold
            f = f * kept
        return f

    def encode_sparse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The k activations of each patch that a topk dictionary keeps, best first.

        Args:
            x: (N, d_model), in the backbone's units.

        Returns:
            values (N, k) and latents (N, k) int64; a value of 0 is an inactive latent.

        Raises:
            SaecliError: if the activation function is no topk.
        """
        if self.activation != "topk":
            raise SaecliError(
                f"a {self.activation} dictionary has no fixed number of active latents",
                "encode it densely",
            )
        return self.select(self.preactivations(x))

    def select(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """What `encode_sparse` gives, of pre-activations a (N, n_latents)."""
        if self.k is None:
            raise SaecliError("the topk dictionary states no k", "train or import it again")
        if self.select_scale is None:
            values, indices = largest(a, self.k)
        else:
            indices = largest(a * self.select_scale, self.k)[1]
            values = a.gather(1, indices)
        return (values if self.topk_signed else values.relu()), indices

    def decode(self, f: Tensor, x: Tensor | None = None) -> Tensor:
        """x̂ (…, d_model), in the backbone's units, of dense activations f (…, n_latents).

        x: as for `denormalise`.
        """
        return self.denormalise(f @ self.W_dec + self.b_dec, x)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Dictionary:
        """The same dictionary on another device or in another floating-point type."""
        moved: dict[str, Any] = {
            name: value.to(device=device, dtype=dtype)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def check_fits(self, backbone: Described, layer: int | None = None) -> None:
        """Return if the backbone (and the resolved layer, where given) is the trained one.

        Raises:
            SaecliError: naming what differs.
        """
        mine = self.identity
        theirs = Identity.of(backbone, mine.layer if layer is None else layer)
        remedy = f"use it with {mine.backbone} at layer {mine.layer}, as it was trained"
        pairs = (
            ("is for activations {} wide, not {}", mine.d_model, theirs.d_model),
            ("was trained on layer {}, not on {}", mine.layer, theirs.layer),
            ("was trained on a grid of {}, not of {}", _times(mine.grid), _times(theirs.grid)),
        )
        for sentence, wanted, found in pairs:
            if wanted != found:
                raise SaecliError(f"the dictionary {sentence.format(wanted, found)}", remedy)
        if mine.image_transform != theirs.image_transform:
            raise SaecliError(
                f"the dictionary was trained with another image transform than {backbone.name}'s",
                remedy,
            )
        if mine.backbone_digest != theirs.backbone_digest:
            raise SaecliError(
                f"the dictionary was trained on {mine.backbone} with weights "
                f"{mine.backbone_digest[:12]}, and {backbone.name} has {backbone.digest[:12]}",
                remedy,
            )


def _times(grid: tuple[int, int]) -> str:
    return f"{grid[0]}×{grid[1]}"
