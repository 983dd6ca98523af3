"""Real street scenes with a real DINOv2: train, probe, detect, knock out, draw."""

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.real


@pytest.fixture
def scenes(real_data, tmp_path):
    """Lists of 24 training pictures and of 22 others, drawn evenly."""
    lists = {}
    for split, n in (("train", 24), ("val", 22)):
        found = sorted((real_data / "camvid" / "images" / split).iterdir())
        chosen = [found[i] for i in np.linspace(0, len(found) - 1, n).astype(int)]
        lists[split] = tmp_path / f"{split}.txt"
        lists[split].write_text("\n".join(map(str, chosen)) + "\n")
    return lists


def test_the_sky_of_real_scenes_is_detected_and_suppressed(saecli, scenes, real_data):
    backbone = f"dinov2:{real_data / 'models' / 'dinov2-small-saliency'}"
    masks = real_data / "camvid" / "masks"
    saecli.json(
        *("train", "--backbone", backbone, "--images", scenes["train"], "--name", "street"),
        *("--latents", "256", "--k", "16", "--n-patches", "80k"),
    )
    probe = saecli.json(
        *("probe", "train", "--backbone", backbone, "--name", "classes"),
        *("--images", scenes["train"], "--masks", masks / "train"),
    )
    assert probe["task"] == "segmentation"
    assert "unlabelled" not in probe["classes"]
    assert probe["accuracy"] > 0.7

    found = saecli.json(
        *("detect", "street", "--images", scenes["train"], "--masks", masks / "train"),
        *("--class", "sky", "--top", "3"),
    )
    assert found["latents"][0]["auroc"] > 0.8
    report = saecli.json(
        *("knockout", *(one["ref"] for one in found["latents"]), "--images", scenes["val"]),
        *("--masks", masks / "val", "--probe", "classes", "--class", "sky"),
        *("--value", "set:-1", "--controls", "19", "--out", "figure.png"),
    )
    assert 20 <= report["n_images"] <= 22
    assert report["n_excluded"] == 0
    assert report["zero_edit"]["max_abs_difference"] == 0
    changed, controls = report["changed"], report["controls"]
    assert changed["target"] > 0.6
    assert changed["other"] < 0.1
    assert [controls[kind]["n"] for kind in ("other_latents", "random_directions")] == [19, 19]
    assert changed["target"] > 2 * controls["other_latents"]["changed"]["target"]
    assert changed["target"] > 3 * controls["random_directions"]["changed"]["target"]
    assert report["ci"][1] < -report["smallest_effect"]
    significant = report["p_value"] <= report["alpha"]
    supported = significant and report["specificity"]["holds"]
    assert (report["verdict"] == "supported") == supported
    with Image.open(saecli.folder / "figure.png") as figure:
        assert np.asarray(figure).std() > 30  # pictures are drawn, not paper alone
