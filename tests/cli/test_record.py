"""`saecli record`: a store that training and profiling read, or refuse with a sentence."""

import shutil

import pytest

from saecli.cli.app import main

SMALL = ("--latents", "32", "--k", "4", "--batch", "64", "--n-patches", "3000")


def record_args(models, pictures, *more, family="dinov2"):
    backbone = f"{family}:{models[family]}"
    return ["record", "--backbone", backbone, "--images", pictures, "--out", "store", *more]


@pytest.fixture(scope="module")
def stores(tmp_path_factory, models, pictures):
    """A folder with stores of both families' layers 0 and 1; copied, never changed."""
    folder = tmp_path_factory.mktemp("stores")
    shutil.copytree(pictures, folder / "pictures")
    (folder / "pictures" / "broken.png").write_bytes(b"nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for family in ("dinov2", "clip"):
            args = record_args(models, folder / "pictures", "--layers", "0,1", family=family)
            args += ["--out", family, "--shard-size", "20KB", "-q"]
            assert main([str(arg) for arg in args]) == 0
    return folder


@pytest.fixture
def recorded(saecli, stores):
    for family in ("dinov2", "clip"):
        shutil.copytree(stores / family, saecli.folder / family)
    return saecli


def test_the_document_has_the_keys_that_programs_rely_on(saecli, models, pictures):
    found = saecli.json(*record_args(models, pictures, "--layers", "-3,-2"))
    assert found["layers"] == [0, 1]
    assert (found["n_images"], found["d_model"], found["dtype"]) == (40, 32, "float16")
    assert found["n_patches"] == 40 * 16
    assert found["skipped"] == []
    assert {"out", "backbone", "image_set", "n_shards", "size", "seconds"} <= set(found)


def test_the_same_command_again_records_nothing(saecli, models, pictures):
    saecli.json(*record_args(models, pictures))
    again = saecli(*record_args(models, pictures))
    assert again.code == 0
    assert "recording what it lacks" in again.err
    assert "other settings" in saecli(*record_args(models, pictures, "--layers", "0")).sentence


def test_a_dictionary_trains_on_a_store_without_backbone_or_pictures(recorded, stores, pictures):
    assert "holds the layers 0, 1" in recorded("train", "--activations", "dinov2", *SMALL).sentence
    args = ("train", "--activations", "dinov2", "--layer", "1", "--name", "a", *SMALL)
    found = recorded.json(*args)
    assert found["dictionaries"][0]["explained_variance"] > 0
    assert len(found["skipped"]) == 1
    assert "broken.png" in found["skipped"][0]
    shown = recorded.json("show", "a:0")
    assert shown["density"] is not None
    (row,) = recorded.json("list")["image_sets"]
    assert (row["name"], row["n_images"], row["n_skipped"]) == (str(stores / "pictures"), 40, 1)


def test_a_dictionary_of_a_store_can_be_looked_through_and_profiled(recorded, stores, models):
    recorded.json("train", "--activations", "dinov2", "--layer", "-2", "--name", "a", *SMALL)
    picture = stores / "pictures" / "000001.png"
    assert recorded.json("inspect", picture, "--patches", "1", "--dictionary", "a")["latents"]
    by_store = recorded.json("profile", "a", "--activations", "dinov2")
    by_pictures = recorded.json("profile", "a", "--images", stores / "pictures")
    for key in ("n_images", "n_patches", "n_alive", "image_set"):
        assert by_store[key] == by_pictures[key]


def test_a_store_of_another_backbone_layer_or_set_is_refused(recorded, stores, models, pictures):
    args = ("train", "--activations", "dinov2", "--layer", "1", "--name", "a", *SMALL)
    other = recorded(*args, "--backbone", f"clip:{models['clip']}")
    assert "another digest of weights, configuration and image transform" in other.sentence
    others = recorded(*args, "--images", pictures)
    assert "41 pictures" in others.sentence
    assert "40 others" in others.sentence
    assert recorded(*args, "--backbone", f"dinov2:{models['dinov2']}", "--no-profile").code == 0
    missing = recorded("train", "--activations", "dinov2", "--layer", "2", *SMALL)
    assert "holds no layer 2" in missing.sentence
    profile = recorded("profile", "a", "--activations", "clip")
    assert "the activation store 'clip' of another model" in profile.sentence
    assert "no activation store" in recorded("profile", "a", "--activations", "pictures").sentence


def test_wrong_options_are_refused_before_any_work(saecli, models, pictures):
    assert "no list of layers" in saecli(*record_args(models, pictures, "--layers", "a")).sentence
    assert saecli(*record_args(models, pictures, "--layers", "a")).code == 2
    assert "no layer 9" in saecli(*record_args(models, pictures, "--layers", "9")).sentence
    untrained = saecli("train", "--activations", "store", "--untrained")
    assert "a store says itself what was recorded" in untrained.sentence
    assert "name --images or --activations" in saecli("profile", "a").sentence


def test_an_untrained_twin_trains_on_a_store_of_its_own(saecli, models, pictures):
    saecli.json(*record_args(models, pictures, "--untrained", "--seed", "3"))
    saecli.json("train", "--activations", "store", "--name", "twin", *SMALL)
    (row,) = saecli.json("list")["dictionaries"]
    assert row["untrained"] is True
    picture = pictures / "000001.png"
    assert saecli.json("inspect", picture, "--patches", "1", "--dictionary", "twin")["latents"]
