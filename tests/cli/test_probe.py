"""`saecli probe train`: from folders, tables, masks, ADE20K's layout and texts, checked first."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from saecli.catalog.opening import open_catalog
from saecli.catalog.probes import get_probe, read_probe
from saecli.errors import SaecliError
from saecli.experiments.probes import Probe
from tests.cli.conftest import JAY, NUT
from tests.images.ade import write_ade


def stored(saecli, name):
    with open_catalog(saecli.folder / "catalog.db") as catalog, catalog.reading() as session:
        row = get_probe(session, name)
        return row, Probe.from_bytes(read_probe(session, row))


def train(models, family, *args, name="p"):
    return ("probe", "train", "--backbone", f"{family}:{models[family]}", "--name", name, *args)


def test_a_grid_by_adamw_tells_every_head_and_keeps_one(saecli, models, birds):
    found = saecli.json(
        *train(models, "clip", "--images", birds / "train", "--solver", "adamw"),
        *("--lr", "1e-3,1e-2", "--weight-decay", "1e-3,1e-1,1", "--steps", 60),
    )
    assert found["solver"] == "adamw"
    assert len(found["grid"]) == 6
    assert {(p["learning_rate"], p["weight_decay"]) for p in found["grid"]} == {
        (rate, decay) for rate in (1e-3, 1e-2) for decay in (1e-3, 1e-1, 1.0)
    }
    assert (found["learning_rate"], found["weight_decay"]) in {
        (p["learning_rate"], p["weight_decay"]) for p in found["grid"]
    }
    row, probe = stored(saecli, "p")
    assert row.settings["learning_rate"] == found["learning_rate"]
    assert row.settings["grid"] == found["grid"]
    assert probe.classes == tuple(sorted([JAY, NUT]))
    exact = saecli.json(*train(models, "clip", "--images", birds / "train", name="q"))
    assert exact["solver"] == "exact"
    assert exact["learning_rate"] is None
    assert len(exact["grid"]) == 5


def test_labels_come_from_a_table_anywhere(saecli, models, birds, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    lines = ["file,label"]
    for species in (JAY, NUT):
        for path in sorted((birds / "train" / species).glob("*.png")):
            name = f"{species[0]}-{path.name}"
            shutil.copy(path, flat / name)
            lines.append(f"{name},{species}")
    table = tmp_path / "species.csv"
    table.write_text("\n".join(lines))
    by_table = saecli.json(*train(models, "clip", "--images", flat, "--labels", table))
    by_folder = saecli.json(*train(models, "clip", "--images", birds / "train", name="q"))
    assert by_table["classes"] == by_folder["classes"]
    assert by_table["n_train"] == by_folder["n_train"] == 36
    outcome = saecli(*train(models, "clip", "--images", flat, name="r"))
    assert "is labelled" in outcome.err


@pytest.mark.parametrize("solver", [[], ["--solver", "adamw", "--steps", "50"]])
def test_ade20k_s_layout_is_trained_on_one_part_and_scored_on_the_other(
    saecli, models, tmp_path, solver
):
    root = write_ade(tmp_path)
    found = saecli.json(*train(models, "dinov2", "--images", root, *solver))
    assert found["classes"] == ["wall", "building", "sky"]
    assert (found["n_train"], found["n_test"]) == (12, 4)
    assert found["mean_iou"] > 0.8  # a class is a colour
    _, probe = stored(saecli, "p")
    assert scores_by_hand(models, root, probe) == pytest.approx(found["accuracy"])


def scores_by_hand(models, root, probe):
    """Share of right patches of the validation part; half a patch of 8 pixels decides."""
    import torch
    from transformers import Dinov2Model

    model = Dinov2Model.from_pretrained(models["dinov2"], dtype=torch.float32).eval()
    hits = total = 0
    for path in sorted((root / "images" / "validation").glob("*.jpg")):
        pixels = np.asarray(Image.open(path), dtype=np.float32) / 255
        pixels = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        with torch.no_grad():
            state = model(torch.tensor(pixels.transpose(2, 0, 1)[None]).float()).last_hidden_state
        predicted = (state[0, 1:].half().float() @ probe.weight + probe.bias).argmax(-1).numpy()
        mask = Image.open(root / "annotations" / "validation" / f"{path.stem}.png")
        blocks = np.asarray(mask).reshape(4, 8, 4, 8).transpose(0, 2, 1, 3).reshape(16, 64)
        for patch, values in enumerate(blocks):
            shares = [(values == value).mean() for value in (1, 2, 3)]
            if max(shares) >= 0.5:
                total += 1
                hits += int(np.argmax(shares) == predicted[patch])
    return hits / total


def test_zero_shot_takes_the_user_s_own_classes_and_texts_without_pictures(
    saecli, models, tmp_path
):
    (saecli.folder / "names.txt").write_text("001.red_bird\nblue, bird\n\nwing\n")
    (saecli.folder / "texts.txt").write_text("a photo of a {}\na {}\n")
    found = saecli.json(
        *train(models, "clip", "--zero-shot", "--classes", "names.txt", "--template", "texts.txt")
    )
    assert found["classes"] == ["001.red_bird", "blue, bird", "wing"]
    assert found["accuracy"] is None
    assert found["n_test"] == 0
    assert found["solver"] is None
    _, probe = stored(saecli, "p")
    np.testing.assert_allclose(
        probe.weight.numpy(),
        texts_by_hand(models, ["red bird", "blue, bird", "wing"], ["a photo of a {}", "a {}"]),
        atol=1e-4,
    )


def texts_by_hand(models, names, templates):
    import open_clip
    import torch

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{models['clip']}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{models['clip']}")
    model.eval()
    columns = []
    for name in names:
        with torch.no_grad():
            each = model.encode_text(tokenize([t.replace("{}", name) for t in templates]))
            mean = (each / each.norm(dim=-1, keepdim=True)).mean(0)
            columns.append(model.logit_scale.exp() * mean / mean.norm())
    return torch.stack(columns, 1).numpy()


def test_a_probe_of_another_backbone_is_refused(saecli_bench, birds):
    outcome = saecli_bench(
        *("knockout", "dinov2:3", "--images", birds / "test", "--probe", "species"),
        *("--class", JAY),
    )
    assert outcome.code == 1
    assert "another backbone" in outcome.err or "reads" in outcome.err


WRONG = [
    (["--zero-shot", "--classes", "a,b"], "dinov2", 2, "reads no text"),
    (["--zero-shot", "--classes", "a"], "clip", 1, "1 class to tell apart"),
    (["--zero-shot"], "clip", 1, "no class names"),
    (["--zero-shot", "--classes", "a,b", "--template", "a photo"], "clip", 1, "no place for the"),
    (["--zero-shot", "--classes", "a,b", "--solver", "exact"], "clip", 2, "takes no --solver"),
    (["--zero-shot", "--classes", "a,a"], "clip", 2, "'a' is named twice"),
    (["--zero-shot", "--masks", "PICTURES/masks"], "clip", 2, "masks label patches"),
    (["--template", "a {}"], "clip", 2, "--zero-shot"),
    ([], "clip", 2, "no pictures to train on"),
    (["--images", "BIRDS", "--lr", "1e-3"], "clip", 2, "AdamW's"),
    (["--images", "BIRDS", "--solver", "adamw", "--lr", "0"], "clip", 2, "no positive number"),
    (["--images", "BIRDS", "--solver", "adamw", "--lr", "x"], "clip", 2, "no positive number"),
    (["--images", "BIRDS", "--classes", "wren,robin"], "clip", 1, "no picture of"),
    (["--images", "BIRDS", "--labels", "nowhere.csv"], "clip", 1, "no table of labels"),
    (["--images", "PICTURES", "--masks", "nowhere"], "dinov2", 1, "no folder of masks"),
    (
        ["--images", "PICTURES", "--masks", "PICTURES/masks", "--classes", "sand,watr"],
        "dinov2",
        1,
        "no class 'watr'; name some of water",
    ),
    (["--images", "BIRDS", "--masks", "PICTURES/masks"], "dinov2", 1, "mask"),
    (["--images", "nowhere"], "clip", 1, "no folder or list"),
]


@pytest.mark.parametrize(("args", "family", "code", "words"), WRONG)
def test_what_can_t_be_trained_is_refused_before_anything_is_loaded(
    saecli, pictures, birds, monkeypatch, args, family, code, words
):
    """The backbone's folder doesn't exist: a command that got that far would say so."""
    args = [
        arg.replace("PICTURES", str(pictures)).replace("BIRDS", str(birds / "train"))
        for arg in args
    ]
    outcome = saecli("probe", "train", "--backbone", f"{family}:/nowhere", "--name", "p", *args)
    assert outcome.code == code
    said = " ".join(outcome.err.split())
    assert words in said
    assert "/nowhere/" not in said
    assert not (saecli.folder / "catalog.db").exists()


def test_a_class_of_one_picture_is_said_in_the_singular_before_anything_is_loaded(saecli, tmp_path):
    for name, n in (("one", 1), ("many", 5)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(n):
            colour = (40 * number, len(name), 0)
            Image.new("RGB", (8, 8), colour).save(tmp_path / "set" / name / f"{number}.png")
    outcome = saecli(
        *("probe", "train", "--backbone", "clip:/nowhere", "--name", "p"),
        *("--images", tmp_path / "set"),
    )
    assert outcome.code == 1
    assert "class 'one' has 1 picture; give each class at least 3" in outcome.err


def test_masks_that_two_pictures_share_are_refused(saecli, tmp_path):
    for name in ("a/x.png", "b/x.png", "b/y.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (len(name), ord(name[0]), ord(name[2]))).save(
            tmp_path / "set" / name
        )
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "classes.txt").write_text("sky\nroad\n")
    for name in ("x.png", "y.png"):
        Image.new("L", (8, 8)).save(masks / name)
    outcome = saecli(
        *("probe", "train", "--backbone", "dinov2:/nowhere", "--name", "p"),
        *("--images", tmp_path / "set", "--masks", masks),
    )
    assert outcome.code == 1
    assert "share the mask" in outcome.err


def test_a_probe_is_for_one_backbone(saecli_bench, models, birds):
    from saecli.backbones import load

    _, probe = stored(saecli_bench, "species")
    probe.check_fits(load(f"clip:{models['clip']}", device="cpu"))
    with pytest.raises(SaecliError, match="made for another backbone"):
        probe.check_fits(load(f"dinov2:{models['dinov2']}", device="cpu"))


def test_the_table_names_the_head_that_was_kept(saecli, models, birds):
    outcome = saecli(
        *train(models, "clip", "--images", birds / "train", "--solver", "adamw", "--steps", 20)
    )
    assert outcome.code == 0
    assert "chosen from 20 heads" in outcome.out
    assert json.loads(saecli("probe", "list", "--json").out)["probes"][0]["name"] == "p"
