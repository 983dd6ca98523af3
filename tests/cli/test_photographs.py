"""Real photographs of any shape, and a real DINOv2 where there is one."""

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """What scikit-image ships, as files of their own."""
    folder = tmp_path_factory.mktemp("photographs")
    shipped = Path(skimage.data_dir)
    found = [p for p in shipped.iterdir() if p.suffix in (".png", ".jpg", ".gif")]
    for path in found:
        (folder / path.name).write_bytes(path.read_bytes())
    assert len(found) >= 5
    return folder


def test_photographs_of_any_shape_train_profile_and_inspect(saecli, models, photographs):
    report = saecli.json(
        *("train", "--backbone", f"dinov2:{models['dinov2']}", "--images", photographs),
        *("--latents", "16", "--k", "2", "--n-patches", "2000", "--batch", "64", "--name", "p"),
    )
    assert report["dictionaries"][0]["patches_seen"] > 0
    assert report["skipped"] == []
    for path in sorted(photographs.iterdir())[:6]:
        found = saecli.json("inspect", path, "--patches", "0-15", "--out", "sheet.png")
        assert found["patches"] == list(range(16))
        with Image.open(saecli.folder / "sheet.png") as sheet:
            assert np.asarray(sheet).std() > 5  # something is drawn


@pytest.mark.real
def test_a_real_dinov2_trains_profiles_and_inspects_photographs(saecli, real_data):
    model = real_data / "models" / "dinov2-small-saliency"
    report = saecli.json(
        *("train", "--backbone", f"dinov2:{model}", "--images", real_data / "photos"),
        *("--name", "real", "--latents", "384", "--k", "16", "--n-patches", "100k"),
        *("--n-images", "40"),
    )
    (row,) = report["dictionaries"]
    assert row["explained_variance"] > 0.4
    listed = saecli.json("list")["dictionaries"][0]
    assert (listed["layer"], listed["grid"], listed["d_model"]) == (10, [16, 16], 384)
    photo = sorted((real_data / "photos").glob("*.jpg"))[0]
    found = saecli.json("inspect", photo, "--patches", "100-110", "--out", "sheet.png")
    assert found["latents"][0]["activation"] > 0
