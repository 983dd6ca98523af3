"""The main job: `saecli train` without arguments, on the built-in world and its two backbones."""

import shutil

import pytest

from tests.commands import Saecli

SMALL = ("train", "--n-images", "300", "--n-patches", "100k")


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    """A folder with the catalog that the main job makes at a small size."""
    from saecli.cli.app import main

    folder = tmp_path_factory.mktemp("built-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*SMALL, "-q"]) == 0
    return folder


@pytest.fixture
def saecli_built_in(built_in, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(built_in, folder)
    return Saecli(folder, monkeypatch, capsys)


def test_it_trains_profiles_and_probes_both_backbones(saecli_built_in):
    found = saecli_built_in.json("list")
    dictionaries = {row["name"]: row for row in found["dictionaries"]}
    assert set(dictionaries) == {"clip", "dinov2"}
    assert dictionaries["clip"]["grid"] == [14, 14]
    assert dictionaries["dinov2"]["grid"] == [16, 16]
    for row in dictionaries.values():
        assert (row["layer"], row["n_latents"], row["activation"]) == (4, 512, "topk")
        assert row["explained_variance"] > 0.7
        assert row["l0"] <= 8
    tasks = {row["name"]: row["task"] for row in found["probes"]}
    assert tasks == {
        "clip-species": "classification",
        "clip-zeroshot": "zero_shot",
        "dinov2-species": "classification",
        "dinov2-ground": "segmentation",
    }


def test_running_it_again_keeps_what_is_there(saecli_built_in):
    before = saecli_built_in.json("list")
    outcome = saecli_built_in(*SMALL)
    assert outcome.code == 0
    assert "is kept" in outcome.err
    assert "training" not in outcome.err
    assert saecli_built_in.json("list") == before


def test_a_built_in_picture_is_named_alike_everywhere(saecli_built_in):
    found = saecli_built_in.json("inspect", "fieldguide:test/000005.png", "--patches", "90-92")
    assert found["image"]["path"] == "fieldguide:test/000005.png"
    for exemplar in found["latents"][0]["exemplars"]:
        assert exemplar["image"]["path"].startswith("fieldguide:train/")


def test_the_zero_shot_probe_knows_the_species(saecli_built_in):
    probes = {row["name"]: row for row in saecli_built_in.json("probe", "list")["probes"]}
    assert probes["clip-zeroshot"]["accuracy"] > 0.85
    assert probes["dinov2-ground"]["mean_iou"] > 0.6


def test_the_zero_edit_is_bit_equal_and_the_target_is_not(saecli_built_in):
    ground = saecli_built_in.json(
        *("detect", "dinov2", "--images", "fieldguide:train", "--n-images", "60"),
        *("--class", "water", "--top", "2"),
    )
    refs = [row["ref"] for row in ground["latents"]]
    found = saecli_built_in.json(
        *("knockout", *refs, "--images", "fieldguide:test", "--n-images", "300"),
        *("--probe", "dinov2-ground", "--class", "water", "--controls", "19"),
    )
    assert found["zero_edit"]["max_abs_difference"] == 0
    assert found["effect"] < 0


def test_an_unknown_built_in_set_is_refused_with_those_there_are(saecli_built_in):
    outcome = saecli_built_in("profile", "clip", "--images", "fieldguide:trian")
    assert outcome.code == 2
    assert "fieldguide:train" in outcome.sentence
