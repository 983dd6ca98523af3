"""A real DINOv2-small on real photographs."""

import pytest
import torch
from PIL import Image

from saecli.backbones import load
from saecli.images.loading import load_batches
from saecli.images.sources import open_source
from tests.models import pillow_processor

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def backbone(real_data):
    return load(f"dinov2:{real_data / 'models' / 'dinov2-small-saliency'}", device="cpu")


def test_its_own_preprocessing_gives_16_by_16_patches(backbone):
    # The position embeddings are for 518 pixels, the preprocessor crops 224.
    assert (backbone.grid.rows, backbone.grid.columns) == (16, 16)
    assert (backbone.d_model, backbone.n_blocks) == (384, 12)
    assert backbone.geometry.crop == (224, 224)
    assert backbone.geometry.target == (256, 256)
    assert backbone.dtype == torch.float32


def test_layers_resume_to_transformers_output_on_photographs(backbone, real_data):
    from transformers import Dinov2Model

    folder = real_data / "models" / "dinov2-small-saliency"
    files = open_source(real_data / "photos").files[:2]
    (batch,) = load_batches(files, backbone.preprocess, on_skip=pytest.fail)
    theirs = Dinov2Model.from_pretrained(folder, dtype=torch.float32).eval()
    pictures = [Image.open(file.path).convert("RGB") for file in files]
    pixels = pillow_processor().from_pretrained(folder)(pictures, return_tensors="pt")
    torch.testing.assert_close(batch.pixels, pixels.pixel_values.float(), rtol=0, atol=2e-6)
    with torch.no_grad():
        expected = theirs(pixel_values=batch.pixels)
        for layer in (0, 10, 11):
            final = backbone.resume(backbone.record(batch.pixels, layer), layer)
            torch.testing.assert_close(final.cls, expected.pooler_output, rtol=0, atol=1e-5)
            torch.testing.assert_close(
                final.patches, expected.last_hidden_state[:, 1:], rtol=0, atol=1e-5
            )
