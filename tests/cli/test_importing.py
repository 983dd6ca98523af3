"""`saecli import` and `export` as a user meets them."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from saecli.cli import import_
from saecli.foreign.formats import NAMES
from saecli.foreign.formats.overcomplete import ACTIVATIONS, DECODER_NORMS
from saecli.foreign.presets import PRESETS
from tests.foreign.files import saev_header, weights, write_saev

WIDTH = 32  # of the tiny backbones


@pytest.fixture
def saev_file(tmp_path):
    state = weights(d=WIDTH, s=64)
    return write_saev(tmp_path / "sae.pt", saev_header(None), state)


def test_a_dictionary_is_imported_proved_and_then_like_any_other(
    saecli, models, saev_file, pictures
):
    place = ["--backbone", f"clip:{models['clip']}", "--layer", "-2"]
    found = saecli.json("import", saev_file, "--name", "theirs", *place, "--images", pictures)
    assert found["format"] == "saev"
    assert (found["layer"], found["d_model"], found["n_latents"]) == (1, WIDTH, 64)
    assert found["proof"]["l0"] > 1
    assert max(found["proof"]["latents"], found["proof"]["reconstruction"]) < 1e-5
    assert found["decoder_norms"][0] < 3 < found["decoder_norms"][1]
    assert found["self_test"]["n_images"] == 40
    # Random weights explain nothing, and that is said with what else it may be.
    assert found["self_test"]["explained_variance"] < 0.5
    assert set(found["self_test"]["elsewhere"]) == {"0", "2"}
    assert "layer that is off by one" in found["warnings"][0]

    listed = saecli.json("list")["dictionaries"][0]
    assert (listed["name"], listed["activation"], listed["n_latents"]) == ("theirs", "relu", 64)
    assert listed["explained_variance"] == found["self_test"]["explained_variance"]
    assert saecli.json("profile", "theirs", "--images", pictures)["n_latents"] == 64
    assert saecli.json("show", "theirs:3")["density"] is not None
    table = saecli("import", saev_file, "--name", "again", *place)
    assert table.code == 1
    assert "already, as 'theirs'" in table.sentence


def test_the_self_test_is_the_metrics_own(saecli_trained, pictures):
    saecli = saecli_trained
    checkpoint = saecli.folder / "clip.safetensors"
    assert saecli("export", "clip", "--out", checkpoint).code == 0
    backbone = saecli.json("list")["backbones"][0]
    other = saecli.folder / "other.db"
    place = ["--backbone", f"clip:{backbone['source']}", "--catalog", other]
    found = saecli.json("import", checkpoint, "--name", "clip", *place, "--images", pictures)
    assert found["format"] == "saecli"
    assert found["proof"] is None
    trained = saecli.json("list")["dictionaries"][0]
    assert found["self_test"]["explained_variance"] == pytest.approx(
        trained["explained_variance"], abs=0.2
    )
    digests = [saecli.json("export", "clip", "--out", "again.st", "--force")["sha256"]]
    digests.append(saecli.json("export", "clip", "--out", "x.st", "--catalog", other)["sha256"])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("target", ["saelens", "dictionary-learning"])
def test_what_is_exported_for_others_comes_back_the_same(saecli_trained, target):
    saecli = saecli_trained
    written = saecli.json("export", "clip", "--format", target, "--out", "theirs")
    assert len(written["files"]) == 2
    backbone = saecli.json("list")["backbones"][0]["source"]
    args = ["import", "theirs", "--name", "back", "--backbone", f"clip:{backbone}"]
    found = saecli.json(*args)
    assert (found["format"], found["layer"], found["activation"]) == (target, 1, "topk")
    again = saecli("export", "clip", "--format", target, "--out", "theirs")
    assert again.code == 1
    assert "there already" in again.sentence


def test_the_commands_choices_are_those_that_there_are():
    assert set(import_.Format.__args__) == set(NAMES)
    assert set(import_.Preset.__args__) == set(PRESETS)
    assert {"relu", "topk", "batchtopk", "jumprelu"} == set(ACTIVATIONS)
    assert {"l2", "max_l2", "l1", "max_l1", "identity"} == set(DECODER_NORMS)


def saelens_folder(folder, **changes):
    folder.mkdir()
    state = weights(d=WIDTH, s=64) | {
        k: v for k, v in changes.items() if "." not in k and v is not None
    }
    for name in [key for key, value in changes.items() if value is None]:
        del state[name]
    save_file(
        {name: value.contiguous() for name, value in state.items()},
        folder / "sae_weights.safetensors",
    )
    config = {
        "architecture": "standard",
        "d_in": WIDTH,
        "d_sae": 64,
        "metadata": {"hook_name": "blocks.1.hook_resid_post"},
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


def dictionary_learning(folder, **settings):
    folder.mkdir()
    w = weights(d=WIDTH, s=64)
    state = {"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "bias": w["b_dec"]}
    torch.save(state | {"decoder.weight": w["W_dec"].T}, folder / "ae.pt")
    trainer = {"dict_class": "AutoEncoder", "layer": 2, **settings}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    return folder


def test_the_input_of_a_layer_is_the_output_of_the_one_before(saecli, models, tmp_path):
    path = dictionary_learning(tmp_path / "a", submodule_name="resid_pre_layer_2")
    place = ["--name", "theirs", "--backbone", f"clip:{models['clip']}", "--layer", "-2"]
    assert saecli.json("import", path, *place)["layer"] == 1


def nan():
    bad = torch.ones(64)
    bad[5] = torch.nan
    return bad


WRONG = {
    "a missing tensor": (lambda p: saelens_folder(p / "a", b_dec=None), [], "lacks b_dec"),
    "an extra tensor": (
        lambda p: saelens_folder(p / "a", W_skip=torch.zeros(2)),
        [],
        "holds W_skip, which saecli can't place",
    ),
    "NaNs": (lambda p: saelens_folder(p / "a", b_enc=nan()), [], "aren't finite"),
    "a wrong shape": (lambda p: saelens_folder(p / "a", b_enc=torch.ones(63)), [], "is 63"),
    "a wrong width": (
        lambda p: write_saev(p / "s.pt", saev_header(None), weights()),
        ["--layer", "1"],
        "8 wide, and clip:",
    ),
    "attention": (
        lambda p: dictionary_learning(p / "a", submodule_name="attn_out_layer_1"),
        [],
        "whole blocks",
    ),
    "another layer": (lambda p: saelens_folder(p / "a"), ["--layer", "2"], "block 1, not 2"),
    "no layer": (
        lambda p: write_saev(p / "s.pt", saev_header(None), weights(d=WIDTH, s=64)),
        [],
        "doesn't say its layer",
    ),
    "a layer that isn't": (lambda p: saelens_folder(p / "a"), ["--layer", "7"], "no layer 7"),
    "an empty folder": (lambda p: (p / "e").mkdir() or p / "e", [], "holds no weights"),
    "no pictures": (lambda p: saelens_folder(p / "a"), ["--images", "nowhere"], "nowhere"),
    "no such path": (lambda p: p / "nowhere", [], "no file or folder"),
    "unknown contents": (
        lambda p: torch.save({"weight": torch.ones(2, 2)}, p / "x.pt") or p / "x.pt",
        [],
        "no format that saecli knows",
    ),
    "another format": (
        lambda p: saelens_folder(p / "a"),
        ["--format", "saev"],
        "isn't a file of saev",
    ),
    "hub, malformed": (lambda p: "hf://osunlp", [], "names no file"),
    "hub, leaving": (lambda p: "hf://osunlp/sae/../../etc", [], "names no file"),
    "hub, offline": (lambda p: "hf://nobody/nothing/sae.pt", [], "hub can't be reached"),
    "broken settings": (
        lambda p: (saelens_folder(p / "a"), (p / "a/cfg.json").write_text("{"))[0],
        [],
        "no JSON",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_nothing_is_written(saecli, models, tmp_path, case):
    make, more, told = WRONG[case]
    path = make(tmp_path)
    outcome = saecli(
        "import", path, "--name", "theirs", "--backbone", f"clip:{models['clip']}", *more
    )
    assert outcome.code in (1, 2)
    assert told in outcome.sentence
    assert not any(saecli.folder.iterdir())


def test_several_dictionaries_in_one_place_are_named(saecli, models, tmp_path, saev_file):
    shutil.copy(saev_file, tmp_path / "other.pt")
    base = ["--name", "theirs", "--backbone", f"clip:{models['clip']}", "--layer", "1"]
    assert "other.pt and sae.pt" in saecli("import", tmp_path, *base).sentence
    run = tmp_path / "run"
    for layer in ("layers.0", "layers.1"):
        (run / layer).mkdir(parents=True)
        shutil.copy(saev_file, run / layer / "sae.pt")
    assert "layers.0 and layers.1" in saecli("import", run, *base).sentence


def test_a_mean_and_a_scale_are_taken_from_a_file(saecli, models, tmp_path, saev_file):
    np.save(tmp_path / "mean.npy", np.linspace(-1, 1, WIDTH).astype(np.float32))
    base = ["import", saev_file, "--backbone", f"clip:{models['clip']}", "--layer", "1"]
    plain = saecli.json(*base, "--name", "plain")
    centred = saecli.json(
        *base, "--name", "centred", "--mean", tmp_path / "mean.npy", "--scale", "2.5"
    )
    assert plain["sha256"] != centred["sha256"]
    (tmp_path / "mean.txt").write_text("1\nnan\n")
    outcome = saecli(*base, "--name", "x", "--mean", tmp_path / "mean.txt")
    assert "no vector of finite numbers" in outcome.sentence


def test_a_layer_off_by_one_is_seen_by_its_neighbours(saecli_trained, pictures):
    saecli = saecli_trained
    assert saecli("export", "clip", "--format", "saelens", "--out", "theirs").code == 0
    settings = saecli.folder / "theirs" / "cfg.json"
    config = json.loads(settings.read_text())
    del config["metadata"]["hook_name"]  # or the layer itself would be refused
    settings.write_text(json.dumps(config))
    backbone = saecli.json("list")["backbones"][0]["source"]
    args = ["import", "theirs", "--backbone", f"clip:{backbone}", "--images", pictures]
    right = saecli.json(*args, "--name", "right", "--layer", "1")
    wrong = saecli.json(*args, "--name", "wrong", "--layer", "0")
    assert "at layer 1 it explains" in wrong["warnings"][0]
    share = right["self_test"]["explained_variance"]
    assert wrong["self_test"]["elsewhere"]["1"] == pytest.approx(share, abs=1e-6)
    assert right["self_test"]["elsewhere"]["0"] < share
    assert not any("at layer" in warning for warning in right["warnings"])
