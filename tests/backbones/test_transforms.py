"""Preprocessing against the libraries' own, on real photographs of several shapes."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from saecli.backbones import load
from saecli.backbones.dinov2_transform import read_transform
from saecli.backbones.geometry import Geometry
from saecli.backbones.transforms import ImageTransform
from saecli.errors import SaecliError
from tests.models import dinov2_preprocessor, pillow_processor, write_tiny_clip


def photographs() -> dict[str, Image.Image]:
    import skimage.data

    photos = {
        name: Image.fromarray(getattr(skimage.data, name)())
        for name in ("astronaut", "chelsea", "coffee")  # 512 × 512, 451 × 300, 600 × 400
    }
    photos["tall"] = photos["chelsea"].transpose(Image.Transpose.ROTATE_90).crop((0, 0, 151, 449))
    photos["tiny"] = photos["coffee"].resize((23, 17))
    photos["exact"] = photos["astronaut"].resize((32, 32))
    return photos


PHOTOS = photographs()


@pytest.fixture(params=PHOTOS)
def photo(request) -> Image.Image:
    return PHOTOS[request.param]


@pytest.mark.parametrize("image_size", [32, [32, 48]], ids=["square", "oblong"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_clip_preprocessing_is_that_of_open_clip(
    tmp_path, photo, resize_mode, interpolation, image_size
):
    import open_clip

    folder = write_tiny_clip(
        tmp_path,
        layers=1,
        image=image_size,
        preprocess={
            "resize_mode": resize_mode,
            "interpolation": interpolation,
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.3, 0.4],
            "fill_color": 90,
        },
    )
    _, _, theirs = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    ours = load(f"clip:{folder}", device="cpu").preprocess(photo)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs(photo), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "preprocessor",
    [
        dinov2_preprocessor(36, 32),
        dinov2_preprocessor(37, 32),  # an odd margin
        dinov2_preprocessor(24, 32),  # smaller than the crop: filled up with black
        dinov2_preprocessor(36, 32, resample=2),
        dinov2_preprocessor(size={"height": 40, "width": 52}),
        dinov2_preprocessor(size={"height": 32, "width": 48}, do_center_crop=False),
        dinov2_preprocessor(do_normalize=False),
        dinov2_preprocessor(size=36, crop_size=32),  # as old repositories write it
    ],
    ids=["plain", "odd", "small", "bilinear", "squash", "no crop", "no mean", "numbers"],
)
def test_dinov2_preprocessing_is_that_of_transformers(tmp_path, photo, preprocessor):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    theirs = pillow_processor().from_pretrained(tmp_path)(photo, return_tensors="pt")
    ours = read_transform(tmp_path, {"patch_size": 8, "image_size": 32})(photo)
    assert ours.dtype == torch.float32
    # The same Pillow pixels; they scale and normalise in another order.
    torch.testing.assert_close(ours, theirs.pixel_values[0].float(), rtol=0, atol=2e-6)


def test_without_a_preprocessor_a_square_picture_is_seen_whole(tmp_path):
    transform = read_transform(tmp_path, {"patch_size": 8, "image_size": 32})
    assert transform.geometry.view(320, 320) == (0, 0, 320, 320)
    assert transform.geometry.crop == (32, 32)
    assert transform.interpolation == "bicubic"
    flat = Image.new("RGB", (50, 40), (255, 0, 128))
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (128 / 255 - 0.406) / 0.225]
    np.testing.assert_allclose(transform(flat)[:, 5, 5], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"do_resize": False}, "no resizing"),
        ({"do_center_crop": False}, "no centre crop"),
        ({"do_rescale": False}, "1/255"),
        ({"rescale_factor": 1 / 127.5}, "1/255"),
        ({"size": {"shortest_edge": 36, "longest_edge": 99}}, "the size"),
        ({"crop_size": None}, "crop_size"),
        ({"crop_size": {"height": 4, "width": 4}}, "smaller than a patch"),
        ({"resample": 17}, "resampling"),
        ({"image_mean": 0.5}, "image_mean"),
    ],
)
def test_preprocessing_that_cannot_be_done_is_refused(tmp_path, changes, words):
    preprocessor = dinov2_preprocessor() | changes
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    with pytest.raises(SaecliError, match=words):
        read_transform(tmp_path, {"patch_size": 8, "image_size": 32})


def test_descriptions_are_canonical():
    def describe(mean, side):
        geometry = Geometry("shortest", (side, side), (32, 32), (8, 8), "down", "down")
        return ImageTransform(geometry, "bicubic", mean, (1, 1, 1), 0).describe()

    assert describe((0.1, 0.2, 0.3), 36) == describe((0.1, 0.2, 0.3), 36)
    assert describe((0.1, 0.2, 0.3), 36) != describe((0.1, 0.2, 0.4), 36)
    assert describe((0.1, 0.2, 0.3), 36) != describe((0.1, 0.2, 0.3), 37)
    assert json.loads(describe((0.1, 0.2, 0.3), 36))["target"] == [36, 36]
