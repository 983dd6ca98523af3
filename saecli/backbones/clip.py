"""CLIP's vision transformers, through open_clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from saecli.backbones.clip_sources import ClipSource, find
from saecli.backbones.clip_text import open_tokenizer, tokenize
from saecli.backbones.digests import digest
from saecli.backbones.folders import unusable
from saecli.backbones.geometry import Geometry
from saecli.backbones.protocol import Backbone, FinalOutput, LayerOutput
from saecli.backbones.silence import quiet
from saecli.backbones.transforms import ImageTransform
from saecli.grid import Grid

_TEXTS_AT_ONCE = 256

# What only training or other kinds of model read; the rest of vision_cfg shapes the function.
_IRRELEVANT = ("patch_dropout", "output_tokens", "attentional_pool", "attn_pooler", "timm_")


@dataclass(frozen=True, eq=False)
class ClipBackbone:
    """An open_clip model behind the protocol of ``saecli.backbones.protocol.Backbone``.

    ``logit_scale`` is CLIP's temperature, exponentiated (100 for OpenAI's models), as trained:
    taken before the weights are cast to another dtype.
    """

    name: str
    source: str
    digest: str
    device: torch.device
    dtype: torch.dtype
    transform: ImageTransform
    logit_scale: float
    model: Any  # open_clip.CLIP or CustomTextCLIP
    tokenizer: Callable[[], Any]

    @property
    def family(self) -> str:
        return "clip"

    @property
    def grid(self) -> Grid:
        return self.transform.geometry.grid

    @property
    def d_model(self) -> int:
        return int(self.model.visual.transformer.width)

    @property
    def n_blocks(self) -> int:
        return len(self.model.visual.transformer.resblocks)

    @property
    def image_transform(self) -> str:
        return self.transform.describe()

    @property
    def geometry(self) -> Geometry:
        return self.transform.geometry

    def preprocess(self, image: Image.Image) -> Tensor:
        """See ``Backbone.preprocess``."""
        return self.transform(image)

    def record(self, pixels: Tensor, layer: int) -> LayerOutput:
        """See ``Backbone.record``; the prefix is the CLS token."""
        return self.record_layers(pixels, [layer])[0]

    @torch.no_grad()
    def record_layers(self, pixels: Tensor, layers: Sequence[int]) -> list[LayerOutput]:
        """See ``Backbone.record_layers``."""
        wanted = sorted(set(layers))
        found = self.model.visual.forward_intermediates(
            pixels.to(self.device, self.dtype),
            indices=wanted,
            stop_early=True,
            intermediates_only=True,
            output_fmt="NLC",
            output_extra_tokens=True,
        )
        parts = zip(found["image_intermediates_prefix"], found["image_intermediates"], strict=True)
        outputs = {
            layer: LayerOutput(torch.cat(pair, dim=1), n_prefix=pair[0].shape[1])
            for layer, pair in zip(wanted, parts, strict=True)
        }
        return [outputs[layer] for layer in layers]

    def resume(self, output: LayerOutput, layer: int, *, patches: bool = True) -> FinalOutput:
        """See ``Backbone.resume``; CLS and patches are those after ``ln_post``."""
        visual = self.model.visual
        tokens = output.tokens.to(self.device, self.dtype)
        blocks = list(visual.transformer.resblocks[layer + 1 :])
        last = blocks.pop() if blocks and not patches and _reads_class_token(visual) else None
        for block in blocks:
            tokens = block(tokens)
        if last is not None:
            tokens = _class_token_after(last, tokens)
        normed = visual.ln_post(tokens)
        if visual.final_ln_after_pool:
            pooled = visual.ln_post(_pool(tokens, visual.pool_type))
        else:
            pooled = _pool(normed, visual.pool_type)
        return FinalOutput(cls=normed[:, 0], patches=normed[:, 1:], embedding=pooled @ visual.proj)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """See ``Backbone.encode_text``; the model's own tokenizer is loaded at the first call."""
        tokens = tokenize(self.tokenizer(), texts, self.model.vocab_size, self.source)
        parts = torch.split(tokens.to(self.device), _TEXTS_AT_ONCE)
        return torch.cat([self.model.encode_text(part) for part in parts])


def load(source: str, *, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    """Open `ARCH/PRETRAINED`, a local open_clip folder, or `hf-hub:ORG/NAME`.

    The activation is the one the weights were trained with: for a pretrained tag that needs
    QuickGELU it is switched on (open_clip would only warn), and an architecture whose name
    promises QuickGELU is refused for weights trained without it.

    Raises:
        SaecliError: if the model can't be found or reached, is of a kind without a patch grid and
            a residual stream (ResNets, timm towers, attentional pooling, no pooling), or its
            files don't fit together.
    """
    found = find(source, weights=True)
    model = _create(found)
    return _backbone(model, found, name, device, dtype)


def load_untrained(
    source: str, *, name: str, seed: int, device: torch.device, dtype: torch.dtype
) -> Backbone:
    """The same model with open_clip's own initialisation under a seed; see ``load``."""
    found = find(source, weights=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _create(found)
    return _backbone(model, found, name, device, dtype)


def _create(found: ClipSource) -> Any:
    import open_clip

    try:
        with quiet():
            return open_clip.create_model(
                found.architecture,
                pretrained=str(found.weights) if found.weights else None,
                load_weights=found.trained,
                require_pretrained=found.trained,
                pretrained_text=False,
                force_quick_gelu=found.quick_gelu,
                force_preprocess_cfg=dict(found.preprocess),
                device="cpu",
            )
    except Exception as error:  # open_clip and torch raise all kinds for a file that doesn't fit
        raise unusable(found.source, error) from error


def _backbone(
    model: Any, found: ClipSource, name: str, device: torch.device, dtype: torch.dtype
) -> ClipBackbone:
    model.eval().requires_grad_(False)
    transform = _transform(model.visual)
    weights = {key: value.float() for key, value in model.visual.state_dict().items()}
    identity = digest(weights, _configuration(found.config), transform.describe())
    return ClipBackbone(
        name=name,
        source=found.source,
        digest=identity,
        device=device,
        dtype=dtype,
        transform=transform,
        logit_scale=float(model.logit_scale.exp()),
        model=model.to(device, dtype),
        tokenizer=open_tokenizer(found),
    )


def _transform(visual: Any) -> ImageTransform:
    """open_clip's own inference transform, from the configuration it left on the model.

    One quirk is kept: towards a target that isn't square, `shortest` always resizes bicubically.
    """
    settings = visual.preprocess_cfg
    height, width = visual.image_size
    resize = settings["resize_mode"]
    square = height == width
    return ImageTransform(
        geometry=Geometry(
            resize=resize,
            target=(height, width),
            crop=(height, width),
            patch=tuple(visual.patch_size),
            rounding="down" if resize == "shortest" and square else "nearest",
            centring="nearest",
        ),
        interpolation=(
            "bilinear"
            if settings["interpolation"] == "bilinear" and (square or resize != "shortest")
            else "bicubic"
        ),
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        fill=settings["fill_color"] if resize == "longest" else 0,
    )


def _configuration(config: Mapping[str, Any]) -> dict[str, object]:
    """What of a model configuration shapes the vision tower's function.

    Fields at open_clip's default are left out, so that a later version with more of them gives
    the same digest.
    """
    from open_clip import CLIPVisionCfg

    vision = {
        key: value
        for key, value in config["vision_cfg"].items()
        if not key.startswith(_IRRELEVANT) and value != getattr(CLIPVisionCfg, key, None)
    }
    return {"family": "clip", "quick_gelu": bool(config.get("quick_gelu")), "vision": vision}


def _reads_class_token(visual: Any) -> bool:
    """Whether the embedding is the class token's, and the last block one taken apart below."""
    from open_clip.transformer import ResidualAttentionBlock

    block = visual.transformer.resblocks[-1]
    return visual.pool_type == "tok" and type(block) is ResidualAttentionBlock


def _class_token_after(block: Any, tokens: Tensor) -> Tensor:
    """A block's output for the class token alone, (B, 1, D): it attends to all, they to nothing."""
    normed = block.ln_1(tokens)
    first = tokens[:, :1] + block.ls_1(block.attention(normed[:, :1], normed, normed))
    after: Tensor = first + block.ls_2(block.mlp(block.ln_2(first)))
    return after


def _pool(tokens: Tensor, pool_type: str) -> Tensor:
    return tokens[:, 1:].mean(dim=1) if pool_type == "avg" else tokens[:, 0]
