"""What every backbone offers: preprocess, record a layer, resume from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from saecli.backbones.geometry import Geometry
from saecli.grid import Grid

if TYPE_CHECKING:  # so that the command line can import the package without torch
    import torch
    from PIL import Image
    from torch import Tensor


@dataclass(frozen=True)
class LayerOutput:
    """A block's whole output.

    Args:
        tokens: (B, T, D), in the library's order: CLS, registers, then patches row by row.
        n_prefix: how many tokens stand before the patches.
    """

    tokens: Tensor
    n_prefix: int

    @property
    def patches(self) -> Tensor:
        """(B, P, D), a view."""
        return self.tokens[:, self.n_prefix :]

    @property
    def prefix(self) -> Tensor:
        """(B, n_prefix, D), a view: CLS first, then registers."""
        return self.tokens[:, : self.n_prefix]

    def with_patches(self, patches: Tensor) -> LayerOutput:
        """The same output with other patch tokens (B, P, D); gradients reach them."""
        import torch

        return replace(self, tokens=torch.cat((self.prefix, patches), dim=1))


@dataclass(frozen=True)
class FinalOutput:
    """What the backbone computes in the end.

    Args:
        cls: (B, D), the CLS token after the final norm.
        patches: (B, P, D), the patch tokens after the final norm.
        embedding: (B, E), CLIP's projected image embedding, not normalised; None for the others.
    """

    cls: Tensor
    patches: Tensor
    embedding: Tensor | None


class Backbone(Protocol):
    """A frozen vision transformer in evaluation mode.

    ``name`` is as the user gave it and ``source`` the local folder or hub name behind it.
    ``digest`` is a SHA-256 over weights, configuration and image transform: it depends on neither
    device nor dtype, and two backbones that compute different functions differ in it.
    ``image_transform`` describes the preprocessing in canonical JSON.
    """

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def grid(self) -> Grid: ...
    @property
    def d_model(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def image_transform(self) -> str: ...
    @property
    def geometry(self) -> Geometry: ...
    @property
    def logit_scale(self) -> float:
        """What CLIP multiplies the cosine of picture and text by, exponentiated; 1 for others."""

    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...

    def preprocess(self, image: Image.Image) -> Tensor:
        """Upright RGB to (3, H, W) float32 on the CPU, as the model was trained to see it.

        Raises:
            SaecliError: if the picture is so narrow that it can't be resized.
        """

    def record(self, pixels: Tensor, layer: int) -> LayerOutput:
        """The output of block ``layer`` (0-based, resolved); later blocks don't run. No gradients.

        Args:
            pixels: (B, 3, H, W) float, moved to the backbone's device and dtype.
        """

    def record_layers(self, pixels: Tensor, layers: Sequence[int]) -> list[LayerOutput]:
        """Like ``record`` for several layers, in the order given, in one pass to the last."""

    def resume(self, output: LayerOutput, layer: int, *, patches: bool = True) -> FinalOutput:
        """Run the blocks after ``layer`` and the final norm; differentiable in the tokens.

        Under ``torch.no_grad`` it equals the library's own forward pass bit for bit; with
        gradients, attention may take another kernel and differ in the last bits.

        Args:
            patches: False if the patches are not wanted. The last block may then compute the class
                token alone, whose last bits may differ, and leave no patches: (B, 0, D).
        """

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """CLIP's text embeddings (N, E), not normalised.

        Raises:
            SaecliError: if the family has no text tower, or its tokenizer can't be loaded.
        """
