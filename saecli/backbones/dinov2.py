"""DINOv2, with and without registers, through transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from saecli.backbones.digests import digest
from saecli.backbones.dinov2_transform import read_transform
from saecli.backbones.folders import check_weights, read_config
from saecli.backbones.geometry import Geometry
from saecli.backbones.pretrained import (
    MASK_TOKEN,
    WEIGHTS,
    find,
    read_model,
    untrained_model,
)
from saecli.backbones.protocol import Backbone, FinalOutput, LayerOutput
from saecli.backbones.silence import quiet
from saecli.backbones.transforms import ImageTransform
from saecli.errors import SaecliError
from saecli.grid import Grid

FOLDER_FORM = "dinov2:FOLDER"

# What shapes the function beyond the weights' own shapes.
_CONFIGURATION = (
    "model_type",
    "num_attention_heads",
    "hidden_act",
    "layer_norm_eps",
    "patch_size",
    "use_swiglu_ffn",
)


@dataclass(frozen=True, eq=False)
class Dinov2Backbone:
    """A transformers DINOv2 behind the protocol of ``saecli.backbones.protocol.Backbone``."""

    name: str
    source: str
    digest: str
    device: torch.device
    dtype: torch.dtype
    transform: ImageTransform
    model: Any  # transformers.Dinov2Model or Dinov2WithRegistersModel

    @property
    def family(self) -> str:
        return "dinov2"

    @property
    def grid(self) -> Grid:
        return self.transform.geometry.grid

    @property
    def d_model(self) -> int:
        return int(self.model.config.hidden_size)

    @property
    def n_blocks(self) -> int:
        return int(self.model.config.num_hidden_layers)

    @property
    def image_transform(self) -> str:
        return self.transform.describe()

    @property
    def geometry(self) -> Geometry:
        return self.transform.geometry

    @property
    def n_prefix(self) -> int:
        """CLS and the registers."""
        return 1 + int(getattr(self.model.config, "num_register_tokens", 0))

    @property
    def logit_scale(self) -> float:
        """1: there are no texts to compare with."""
        return 1.0

    def preprocess(self, image: Image.Image) -> Tensor:
        """See ``Backbone.preprocess``."""
        return self.transform(image)

    def record(self, pixels: Tensor, layer: int) -> LayerOutput:
        """See ``Backbone.record``; the library fits the position embeddings to the image size."""
        return self.record_layers(pixels, [layer])[0]

    @torch.no_grad()
    def record_layers(self, pixels: Tensor, layers: Sequence[int]) -> list[LayerOutput]:
        """See ``Backbone.record_layers``."""
        tokens = self.model.embeddings(pixels.to(self.device, self.dtype))
        outputs = {}
        for number, block in enumerate(self.model.encoder.layer[: max(layers) + 1]):
            tokens = block(tokens)
            if number in layers:
                outputs[number] = LayerOutput(tokens, self.n_prefix)
        return [outputs[layer] for layer in layers]

    def resume(self, output: LayerOutput, layer: int, *, patches: bool = True) -> FinalOutput:
        """See ``Backbone.resume``; all tokens of ``last_hidden_state`` but the registers."""
        tokens = output.tokens.to(self.device, self.dtype)
        for block in self.model.encoder.layer[layer + 1 :]:
            tokens = block(tokens)
        tokens = self.model.layernorm(tokens)
        return FinalOutput(cls=tokens[:, 0], patches=tokens[:, self.n_prefix :], embedding=None)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """DINOv2 has no text tower.

        Raises:
            SaecliError: always.
        """
        raise SaecliError(
            f"the backbone '{self.name}' is a DINOv2, which reads no text",
            "use a CLIP backbone for zero-shot probes",
        )


def load(source: str, *, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    """Open a local folder or a hub name; the model class follows `model_type`.

    Weights are read as float32 whatever the file holds, then cast. Every weight must be found and
    every weight in the file used, but for a classifier's head and the mask token of pretraining.

    Raises:
        SaecliError: if the model can't be found or reached, is of another family, or its files
            don't fit together.
    """
    folder, shown = find(source, FOLDER_FORM, weights=True)
    config = read_config(folder, "dinov2")
    check_weights(folder, WEIGHTS)
    model = read_model(_model_class(config), folder, shown)
    return _backbone(model, folder, config, (name, shown), device, dtype)


def load_untrained(
    source: str, *, name: str, seed: int, device: torch.device, dtype: torch.dtype
) -> Backbone:
    """The same model with transformers' own initialisation under a seed; see ``load``."""
    folder, shown = find(source, FOLDER_FORM, weights=False)
    config = read_config(folder, "dinov2")
    model = untrained_model(_model_class(config), folder, shown, seed)
    return _backbone(model, folder, config, (name, shown), device, dtype)


def _model_class(config: Mapping[str, object]) -> Any:
    with quiet():
        import transformers

    registers = config["model_type"] == "dinov2_with_registers"
    return transformers.Dinov2WithRegistersModel if registers else transformers.Dinov2Model


def _backbone(
    model: Any,
    folder: Path,
    config: Mapping[str, object],
    names: tuple[str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> Dinov2Backbone:
    model.eval().requires_grad_(False)
    transform = read_transform(folder, config)
    weights = {key: value for key, value in model.state_dict().items() if key != MASK_TOKEN}
    settings = model.config.to_dict()
    configuration = {key: settings.get(key) for key in _CONFIGURATION}
    identity = digest(weights, {"family": "dinov2", **configuration}, transform.describe())
    return Dinov2Backbone(
        name=names[0],
        source=names[1],
        digest=identity,
        device=device,
        dtype=dtype,
        transform=transform,
        model=model.to(device, dtype),
    )
