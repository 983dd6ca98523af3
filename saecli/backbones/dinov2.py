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
from saecli.backbones.dinov2_transform import PREPROCESSOR, read_transform
from saecli.backbones.folders import check_weights, read_config, unusable
from saecli.backbones.geometry import Geometry
from saecli.backbones.hub import snapshot
from saecli.backbones.protocol import Backbone, FinalOutput, LayerOutput
from saecli.backbones.silence import quiet
from saecli.backbones.transforms import ImageTransform
from saecli.errors import SaecliError
from saecli.grid import Grid

FOLDER_FORM = "dinov2:FOLDER"
_WEIGHTS = ("model*.safetensors*", "pytorch_model*.bin*")  # with the index of sharded ones
_MASK_TOKEN = "embeddings.mask_token"  # for pretraining; the forward pass doesn't read it
_HEAD = "classifier."  # of a fine-tuned classifier; a backbone is used without it

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
    folder, shown = _find(source, weights=True)
    config = read_config(folder, "dinov2")
    check_weights(folder, _WEIGHTS)
    model = _read_model(folder, config, shown)
    return _backbone(model, folder, config, (name, shown), device, dtype)


def load_untrained(
    source: str, *, name: str, seed: int, device: torch.device, dtype: torch.dtype
) -> Backbone:
    """The same model with transformers' own initialisation under a seed; see ``load``."""
    folder, shown = _find(source, weights=False)
    config = read_config(folder, "dinov2")
    model_class = _model_class(config)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            settings = model_class.config_class.from_pretrained(folder, local_files_only=True)
            settings.dtype = torch.float32
            model = model_class(settings)
    except Exception as error:  # a configuration that no model can be built from
        raise unusable(shown, error) from error
    return _backbone(model, folder, config, (name, shown), device, dtype)


def _find(source: str, *, weights: bool) -> tuple[Path, str]:
    """The folder that holds the files, and what people call it."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.resolve(), str(folder.resolve())
    files = snapshot(
        source,
        config="config.json",
        weights=_WEIGHTS if weights else (),
        extras=(PREPROCESSOR,),
        shown=source,
        folder_form=FOLDER_FORM,
    )
    return files, source


def _model_class(config: Mapping[str, object]) -> Any:
    with quiet():
        import transformers

    registers = config["model_type"] == "dinov2_with_registers"
    return transformers.Dinov2WithRegistersModel if registers else transformers.Dinov2Model


def _read_model(folder: Path, config: Mapping[str, object], shown: str) -> Any:
    model_class = _model_class(config)
    try:
        with quiet():
            model, info = model_class.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                weights_only=True,
            )
    except Exception as error:  # transformers and safetensors raise all kinds here
        raise unusable(shown, error) from error
    missing = sorted(set(info["missing_keys"]) - {_MASK_TOKEN})
    unused = sorted(key for key in info["unexpected_keys"] if not key.startswith(_HEAD))
    for keys, words in ((missing, "lack"), (unused, "hold more than its configuration needs:")):
        if keys:
            rest = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise SaecliError(
                f"the weights of '{shown}' {words} {keys[0]}{rest}",
                "check that its configuration and weights belong together and are whole",
            )
    return model


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
    weights = {key: value for key, value in model.state_dict().items() if key != _MASK_TOKEN}
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
