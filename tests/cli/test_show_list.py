"""`show`, `list`, `profile` and `export` say what the catalog holds, in the contract's keys."""

import json

import numpy as np
from PIL import Image
from safetensors import safe_open


def test_list_has_the_contract_s_keys(saecli_trained):
    found = saecli_trained.json("list")
    assert set(found) == {"dictionaries", "backbones", "image_sets", "probes", "experiments"}
    by_name = {row["name"]: row for row in found["dictionaries"]}
    assert set(by_name) == {"clip", "dinov2"}
    row = by_name["clip"]
    assert (row["layer"], row["grid"], row["d_model"], row["n_latents"]) == (1, [4, 4], 32, 48)
    assert row["activation"] == "topk"
    assert 0 < row["explained_variance"] < 1
    assert 0 < row["l0"] <= 4
    assert {"name", "family", "source"} <= set(found["backbones"][0])
    assert {row["name"]: row["n_images"] for row in found["image_sets"]}
    assert len(found["image_sets"]) == 1
    assert found["image_sets"][0]["n_images"] == 40


def test_show_has_the_contract_s_keys(saecli_trained):
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    found = saecli_trained.json("show", busiest)
    assert {
        *("ref", "label", "labels", "density", "mean_activation", "max_activation"),
        *("exemplars", "matches", "experiments"),
    } <= set(found)
    assert found["ref"] == busiest
    strengths = [one["activation"] for one in found["exemplars"]]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == found["max_activation"]
    pictures = [one["image"]["id"] for one in found["exemplars"]]
    assert len(set(pictures)) == len(pictures) == 16


def test_show_draws_a_sheet(saecli_trained):
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    assert saecli_trained("show", busiest, "--out", "latent.png").code == 0
    with Image.open(saecli_trained.folder / "latent.png") as sheet:
        assert sheet.width > 800


def test_a_dictionary_s_latents_come_in_the_order_asked_for(saecli_trained):
    for sort, key in (("density", "density"), ("max", "max_activation")):
        rows = saecli_trained.json("show", "clip", "--sort", sort, "--top", "48")["latents"]
        values = [row[key] for row in rows]
        assert values == sorted(values, reverse=True)


def test_profiling_again_over_other_pictures_is_what_show_then_reports(saecli_trained, tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    report = saecli_trained.json("profile", "clip", "--images", folder)
    assert (report["n_images"], report["n_patches"], report["n_latents"]) == (3, 48, 48)
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    assert len(saecli_trained.json("show", busiest)["exemplars"]) <= 3


def test_an_export_is_the_checkpoint_that_the_list_identifies(saecli_trained):
    report = saecli_trained.json(
        "export", "clip", "--format", "safetensors", "--out", "c.safetensors"
    )
    assert report["dictionary"] == "clip"
    with safe_open(saecli_trained.folder / "c.safetensors", "np") as file:
        told = json.loads(file.metadata()["saecli"])
        assert file.get_tensor("W_enc").shape == (32, 48)
        assert np.allclose(np.linalg.norm(file.get_tensor("W_dec"), axis=1), 1, atol=1e-5)
    assert told["format"] == 1
    assert told["activation"] == "topk"
    assert told["k"] == 4


def test_the_default_dictionary_can_be_chosen(saecli_trained, pictures):
    assert saecli_trained.json("catalog", "default", "dinov2") == {"default": "dinov2"}
    found = saecli_trained.json("inspect", pictures / "000003.png", "--patches", "0")
    assert found["dictionary"] == "dinov2"


def test_a_backup_is_a_whole_catalog(saecli_trained):
    saecli_trained.json("catalog", "backup", "copy.db")
    before = saecli_trained.json("list")
    assert saecli_trained.json("list", "--catalog", "copy.db") == before
    assert saecli_trained.json("catalog", "check", "--catalog", "copy.db")["ok"] is True


def test_the_frontier_groups_what_can_be_compared(saecli_trained):
    out = saecli_trained.folder / "frontier.png"
    found = saecli_trained.json("list", "--frontier", "--out", out)
    assert [[row["name"] for row in group["dictionaries"]] for group in found["frontier"]] == [
        *(["clip"], ["dinov2"])
    ]
    (row,) = found["frontier"][0]["dictionaries"]
    assert row["pareto"] is True
    listed = saecli_trained.json("list")["dictionaries"][0]
    assert (row["l0"], row["explained_variance"]) == (listed["l0"], listed["explained_variance"])
    assert row["objective"] == "topk"
    assert out.read_bytes().startswith(b"\x89PNG")
    assert found["out"] == str(out)


def test_a_picture_without_the_frontier_is_wrong_usage(saecli_trained):
    assert saecli_trained("list", "--out", "a.png").code == 2
    assert saecli_trained("list", "--frontier", "--out", "a.txt").code == 2


def test_a_set_is_not_shown_by_its_first_latent(saecli_trained):
    outcome = saecli_trained("show", "clip:1+2")
    assert outcome.code == 2
    assert "names 2 latents; name one" in outcome.sentence
