"""Published dictionaries whose files don't say what they belong to: the missing facts, by name.

Source: the model cards and the README of saev (Stevens et al. 2025, arXiv 2502.06755, section 4),
and its examples for the mean and scale of DINOv2's activations.
"""

from dataclasses import dataclass
from pathlib import Path

from saecli.foreign.vectors import DINOV2_MEAN


@dataclass(frozen=True)
class Preset:
    """What a published file leaves open.

    Attributes:
        repo: where it is published, on the Hugging Face hub.
        backbone: by the name that ``--backbone`` takes.
        layer: the block whose output was read, 0-based.
        subtracts: the encoder subtracts the decoder's bias.
        mean: a file of numbers that activations were centred by, or None.
        scale: what they were then divided by.
    """

    repo: str
    backbone: str
    layer: int
    subtracts: bool
    mean: Path | None = None
    scale: float | None = None


PRESETS: dict[str, Preset] = {
    "clip-24k": Preset("osunlp/SAE_CLIP_24K_ViT-B-16_IN1K", "clip:ViT-B-16/openai", 10, True),
    "dinov2-24k": Preset(
        "osunlp/SAE_DINOv2_24K_ViT-B-14_IN1K",
        "dinov2:facebook/dinov2-with-registers-base",
        10,
        True,
        mean=DINOV2_MEAN,
        scale=2.0181241035461426,
    ),
    "bioclip-24k": Preset(
        "osunlp/SAE_BioCLIP_24K_ViT-B-16_iNat21", "clip:hf-hub:imageomics/bioclip", 10, True
    ),
}
"""By the name that a dictionary gets where none is given."""


def preset_of(repo: str) -> tuple[str, Preset] | None:
    """The preset of a repository, with its name."""
    return next(((name, one) for name, one in PRESETS.items() if one.repo == repo), None)
