"""A tiny real DINOv2, pictures, and a backbone that counts its passes and scales its output."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saecli.backbones.loading import load
from saecli.backbones.protocol import Backbone, LayerOutput
from saecli.images.sources import ImageFile, open_source
from tests.models import dinov2_preprocessor, write_tiny_dinov2

N_PICTURES = 11


class Watched:
    """A backbone as it is, counting the images that it runs on, its activations scaled."""

    def __init__(self, backbone: Backbone, scale: float = 1.0) -> None:
        self.backbone = backbone
        self.scale = scale
        self.n_images = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.backbone, name)

    def record(self, pixels: torch.Tensor, layer: int) -> LayerOutput:
        return self.record_layers(pixels, [layer])[0]

    def record_layers(self, pixels: torch.Tensor, layers: Sequence[int]) -> list[LayerOutput]:
        self.n_images += len(pixels)
        outputs = self.backbone.record_layers(pixels, layers)
        return [output.with_patches(output.patches * self.scale) for output in outputs]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Backbone:
    folder = tmp_path_factory.mktemp("dinov2")
    write_tiny_dinov2(folder, preprocessor=dinov2_preprocessor())
    return load(f"dinov2:{folder}", device="cpu")


@pytest.fixture
def backbone(tiny) -> Watched:
    return Watched(tiny)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Eleven random pictures, the fourth cut short."""
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for i in range(N_PICTURES):
        pixels = generator.integers(0, 256, (40, 50 + i, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{i:02}.png")
    whole = (root / "03.png").read_bytes()
    (root / "03.png").write_bytes(whole[: len(whole) // 2])
    return root


@pytest.fixture
def files(folder) -> tuple[ImageFile, ...]:
    return open_source(folder).files


@pytest.fixture(scope="session")
def expected(tiny, folder) -> torch.Tensor:
    """(10, 16, 32): the layer's patches of the readable pictures, one picture at a time."""
    rows = []
    for file in open_source(folder).files:
        if file.name != "03.png":
            pixels = tiny.preprocess(Image.open(file.path).convert("RGB"))[None]
            rows.append(tiny.record(pixels, 1).patches)
    return torch.cat(rows)
