"""DINOv3's vision transformers through transformers: rotary positions, CLS and registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saecli.backbones.digests import digest
from saecli.backbones.dinov2 import Dinov2Backbone
from saecli.backbones.dinov2_transform import read_transform
from saecli.backbones.folders import check_weights, read_config
from saecli.backbones.pretrained import MASK_TOKEN, WEIGHTS, find, read_model, untrained_model
from saecli.backbones.protocol import Backbone, FinalOutput, LayerOutput
from saecli.backbones.silence import quiet
from saecli.errors import SaecliError

FOLDER_FORM = "dinov3:FOLDER"

# What shapes the function beyond the weights' own shapes.
_CONFIGURATION = (
    "model_type",
    "num_attention_heads",
    "hidden_act",
    "layer_norm_eps",
    "patch_size",
    "rope_theta",
    "rope_parameters",
    "use_gated_mlp",
)


@dataclass(frozen=True, eq=False)
class Dinov3Backbone(Dinov2Backbone):
    """A transformers DINOv3 vision transformer; like DINOv2 but for its positions and blocks."""

    @property
    def family(self) -> str:
        return "dinov3"

    @torch.no_grad()
    def record_layers(self, pixels: Tensor, layers: Sequence[int]) -> list[LayerOutput]:
        """See ``Backbone.record_layers``."""
        pixels = pixels.to(self.device, self.dtype)
        tokens = self.model.embeddings(pixels)
        positions = self._positions(*pixels.shape[-2:])
        outputs = {}
        for number, block in enumerate(self.model.model.layer[: max(layers) + 1]):
            tokens = block(tokens, position_embeddings=positions)
            if number in layers:
                outputs[number] = LayerOutput(tokens, self.n_prefix)
        return [outputs[layer] for layer in layers]

    def resume(self, output: LayerOutput, layer: int, *, patches: bool = True) -> FinalOutput:
        """See ``Backbone.resume``; the positions are those of the backbone's own image size.

        Raises:
            SaecliError: if the tokens are of pictures of another size.
        """
        tokens = output.tokens.to(self.device, self.dtype)
        if tokens.shape[1] != self.n_prefix + self.grid.n_patches:
            raise SaecliError(
                f"{tokens.shape[1] - self.n_prefix} patches are not those of "
                f"{self.name}'s grid of {self.grid.n_patches}",
                "record pictures of the backbone's own size",
            )
        positions = self._positions(*self.geometry.crop)
        for block in self.model.model.layer[layer + 1 :]:
            tokens = block(tokens, position_embeddings=positions)
        tokens = self.model.norm(tokens)
        return FinalOutput(cls=tokens[:, 0], patches=tokens[:, self.n_prefix :], embedding=None)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """DINOv3 has no text tower here.

        Raises:
            SaecliError: always.
        """
        raise SaecliError(
            f"the backbone '{self.name}' is a DINOv3, which reads no text",
            "use a CLIP backbone for zero-shot probes",
        )

    def _positions(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the patches' angles for pictures of a size; computed in float32."""
        pixels = torch.empty(1, 3, height, width, device=self.device)
        cosine, sine = self.model.rope_embeddings(pixels)
        return cosine.to(self.dtype), sine.to(self.dtype)


def load(source: str, *, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    """Open a local folder or a hub name; weights are read as float32, then cast.

    Raises:
        SaecliError: if the model can't be found or reached, is of another family, or its files
            don't fit together.
    """
    folder, shown = find(source, FOLDER_FORM, weights=True)
    read_config(folder, "dinov3")
    check_weights(folder, WEIGHTS)
    model = read_model(_model_class(), folder, shown)
    return _backbone(model, folder, (name, shown), device, dtype)


def load_untrained(
    source: str, *, name: str, seed: int, device: torch.device, dtype: torch.dtype
) -> Backbone:
    """The same model with transformers' own initialisation under a seed; see ``load``."""
    folder, shown = find(source, FOLDER_FORM, weights=False)
    read_config(folder, "dinov3")
    model = untrained_model(_model_class(), folder, shown, seed)
    return _backbone(model, folder, (name, shown), device, dtype)


def _model_class() -> Any:
    with quiet():
        import transformers

    return transformers.DINOv3ViTModel


def _backbone(
    model: Any,
    folder: Path,
    names: tuple[str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> Dinov3Backbone:
    model.eval().requires_grad_(False)
    transform = read_transform(folder, read_config(folder, "dinov3"), crops=False)
    weights = {key: value for key, value in model.state_dict().items() if key != MASK_TOKEN}
    settings = model.config.to_dict()
    configuration = {key: settings.get(key) for key in _CONFIGURATION}
    identity = digest(weights, {"family": "dinov3", **configuration}, transform.describe())
    frequencies = model.rope_embeddings.inv_freq.float()
    model.to(device, dtype)
    model.rope_embeddings.inv_freq = frequencies.to(device)  # angles need more than half precision
    return Dinov3Backbone(
        name=names[0],
        source=names[1],
        digest=identity,
        device=device,
        dtype=dtype,
        transform=transform,
        model=model,
    )
