"""The activations that training is timed on: of real pictures, at the wanted width.

With ``SAECLI_REAL_DATA`` they are a real DINOv2-small's (384 wide, layer −2) of the photographs and
street scenes there, without it the built-in DINOv2's of the built-in world. A wider matrix lays the
activations of as many patches side by side as are needed and turns them by a fixed random
orthogonal matrix, so that no direction is empty and none is an axis.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saecli.activations.recording import Recorded, record_patches
from saecli.activations.settings import CacheSettings
from saecli.backbones.loading import resolve_layer
from saecli.backbones.protocol import Backbone
from saecli.images.sources import ImageFile, open_source
from saecli.progress import SILENT
from saecli.sae.weights import Normalisation
from saecli.workflows.models import load_backbone
from saecli.workflows.pictures import open_pictures

LAYER = -2
SEED = 0
DRAWN = "fieldguide:train"
N_DRAWN = 800


@dataclass(frozen=True)
class Pictures:
    """What the activations are of."""

    backbone: Backbone
    files: list[ImageFile]

    def __str__(self) -> str:
        return f"{self.backbone.name}, layer {LAYER}, {len(self.files)} pictures"


def real() -> bool:
    """Whether there are real pictures."""
    return "SAECLI_REAL_DATA" in os.environ


def pictures() -> Pictures:
    """Real ones where ``SAECLI_REAL_DATA`` says where they lie, else the built-in world's."""
    if not real():
        backbone = load_backbone("fieldguide-dinov2", SILENT, device="cpu")
        return Pictures(backbone, list(open_pictures(DRAWN, SILENT, n_images=N_DRAWN).files))
    folder = Path(os.environ["SAECLI_REAL_DATA"])
    backbone = load_backbone(
        f"dinov2:{folder / 'models' / 'dinov2-small-saliency'}", SILENT, device="cpu"
    )
    files = [
        *open_source(folder / "photos").files,
        *open_source(folder / "camvid" / "images").files,
    ]
    return Pictures(backbone, files)


def recorded(shown: Pictures, cache: Path) -> Recorded:
    """Their activations, kept below ``cache`` for the next run."""
    layer = resolve_layer(LAYER, shown.backbone.n_blocks)
    return record_patches(
        shown.backbone, shown.files, layer, cache=CacheSettings(cache / "activations")
    )


def patches(found: Recorded, n: int, width: int) -> Tensor:
    """n patches (n, width) float32 in random order, centred, their mean norm √width."""
    narrow = found.d_model
    beside = -(-width // narrow)
    generator = torch.Generator().manual_seed(SEED)
    drawn = found.shuffled(torch.arange(found.n_images), SEED).draw(n * beside)
    x = drawn.view(n, beside * narrow)
    if beside * narrow > width or beside > 1:
        turned = torch.linalg.qr(torch.randn(len(x[0]), len(x[0]), generator=generator)).Q
        x = x @ turned[:, :width]
    return Normalisation.estimate(x).apply(x).contiguous()


def written(found: Recorded, n: int, width: int, cache: Path) -> Path:
    """The same as a ``.npy`` file, which every environment can read."""
    path = cache / f"{found.fingerprint[:16]}-{n}-{width}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial.npy")
        np.save(partial, patches(found, n, width).numpy())
        partial.rename(path)
    return path
