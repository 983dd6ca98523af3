"""Published dictionaries whose files don't say what they belong to: the missing facts, by name.

Source: the model cards and the README of saev (Stevens et al. 2025, arXiv 2502.06755, section 4),
and its examples for the scale of DINOv2's activations; their mean, a vector, is the user's to give.
"""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Preset:
    """What a published file leaves open.

    Attributes:
        repo: where it is published, on the Hugging Face hub.
        backbone: by the name that ``--backbone`` takes.
        layer: the block whose output was read, 0-based; None where each folder `layer_N` of the
            repository has its own.
        subtracts: the encoder subtracts the decoder's bias; None where the file's schema says.
        scale: what activations were divided by, their mean taken away first; None where they were
            used as they are.
        notes: what isn't known of it.
    """

    repo: str
    backbone: str
    layer: int | None
    subtracts: bool | None
    scale: float | None = None
    notes: tuple[str, ...] = ()


_DINOV3_NOTES = (
    "neither the file nor its publication says whether activations were standardised before "
    "training: try it on pictures (--images)",
)


def _dinov3(repo: str, size: str) -> Preset:
    backbone = f"dinov3:facebook/dinov3-vit{size}16-pretrain-lvd1689m"
    return Preset(f"osunlp/{repo}", backbone, None, None, notes=_DINOV3_NOTES)


PRESETS: dict[str, Preset] = {
    "clip-24k": Preset("osunlp/SAE_CLIP_24K_ViT-B-16_IN1K", "clip:ViT-B-16/openai", 10, True),
    "dinov2-24k": Preset(
        "osunlp/SAE_DINOv2_24K_ViT-B-14_IN1K",
        "dinov2:facebook/dinov2-with-registers-base",
        10,
        True,
        scale=2.0181241035461426,
    ),
    "bioclip-24k": Preset(
        "osunlp/SAE_BioCLIP_24K_ViT-B-16_iNat21", "clip:hf-hub:imageomics/bioclip", 10, True
    ),
    "dinov3-s": _dinov3("SAE_DINOv3_ViT-S-16_IN1K", "s"),
    "dinov3-b": _dinov3("SAE_DINOv3_ViT-B-16_IN1K", "b"),
    "dinov3-l": _dinov3("SAE_DINOv3_ViT-L-16_IN1K", "l"),
    "dinov3-l-topk": _dinov3("SAE_DINOv3_TopK_ViT-L-16_IN1K", "l"),
}
"""By the name that a dictionary gets where none is given."""


def layer_in(path: Path) -> int | None:
    """The layer that a file's folders name, `layer_7/RUN/sae.pt`; None if they name none."""
    found = [re.fullmatch(r"layer_(\d+)", part) for part in path.parts]
    return next((int(one[1]) for one in reversed(found) if one), None)


def preset_of(repo: str) -> tuple[str, Preset] | None:
    """The preset of a repository, with its name."""
    return next(((name, one) for name, one in PRESETS.items() if one.repo == repo), None)
