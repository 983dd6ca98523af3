"""The main job: `saecli train` without arguments, on the built-in world and its two backbones."""

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from saecli.workflows.places import cache_folder
from tests.commands import CHECKOUT, Saecli

SMALL = ("train", "--n-images", "300", "--n-patches", "100k")


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    """A folder with the catalog that the main job makes at a small size."""
    from saecli.cli.app import main

    folder = tmp_path_factory.mktemp("built-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["saecli", *SMALL])
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


def test_a_part_of_a_set_is_found_again_by_the_name_it_is_listed_under(saecli_built_in):
    name = "fieldguide:train (300 pictures)"
    (row,) = saecli_built_in.json("list")["image_sets"]
    assert (row["name"], row["n_images"]) == (name, 300)
    assert saecli_built_in.json("profile", "clip", "--images", name)["image_set"] == name


def test_the_last_observation_is_tested_on_pictures_that_trained_nothing(saecli_built_in):
    from saecli.catalog.opening import open_catalog
    from saecli.progress import SILENT
    from saecli.workflows.observed import plan_from_observation

    saecli_built_in("inspect", "fieldguide:train/000012.png", "--patches", "90-92")
    with open_catalog(saecli_built_in.folder / "catalog.db") as catalog:
        plan = plan_from_observation(
            catalog, images=None, probe=None, class_name=None, device="cpu", progress=SILENT
        )
    assert plan.images == "fieldguide:test"


def test_nothing_in_the_catalog_tells_where_this_machine_keeps_the_built_in_world(saecli_built_in):
    saecli_built_in("inspect", "fieldguide:test/000005.png", "--patches", "90-92")
    detect = ("detect", "dinov2", "--images", "fieldguide:test", "--n-images", "60")
    assert saecli_built_in(*detect, "--class", "water").code == 0
    with closing(sqlite3.connect(saecli_built_in.folder / "catalog.db")) as raw, raw:
        told = "\n".join(raw.iterdump())
    for place in (CHECKOUT, cache_folder(), saecli_built_in.folder):
        assert str(place) not in told
    for row in saecli_built_in.json("list")["backbones"]:
        assert (Path(row["source"]) / "model.safetensors").exists() or (
            Path(row["source"]) / "open_clip_model.safetensors"
        ).exists()


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
