"""`saecli demo` writes the built-in world as ordinary files, twins included."""

import json

import numpy as np
from PIL import Image


def truth(folder):
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]


def test_pictures_come_with_the_truth_masks_and_classes(saecli):
    report = saecli.json("demo", "--out", "d", "--n", "12", "--seed", "9", "--sheet", "sheet.png")
    assert (report["n"], report["seed"]) == (12, 9)
    folder = saecli.folder / "d"
    rows = truth(folder)
    classes = (folder / "masks" / "classes.txt").read_text().splitlines()
    assert len(rows) == 12
    for row in rows:
        assert {"file", "kind", "species", "caption", "habitat", "attributes", "mask"} <= set(row)
        mask = np.asarray(Image.open(folder / row["mask"]))
        assert mask.shape == (112, 112)
        assert mask.max() < len(classes)
    assert Image.open(saecli.folder / "sheet.png").width > 1000


def test_a_twin_keeps_its_stem_and_differs_only_where_the_attribute_is(saecli):
    jays = ("demo", "--n", "3", "--seed", "4", "--species", "blue jay")
    saecli.json(*jays, "--out", "a")
    saecli.json(*jays, "--out", "b", "--counterfactual", "wing=grey")
    a, b = saecli.folder / "a", saecli.folder / "b"
    classes = (a / "masks" / "classes.txt").read_text().splitlines()
    for first, second in zip(truth(a), truth(b), strict=True):
        assert first["file"] == second["file"]
        assert second["attributes"] == first["attributes"] | {"wing": "grey"}
        assert second["species"] == "Clark's nutcracker"
        changed = (
            np.asarray(Image.open(a / first["file"])) != np.asarray(Image.open(b / second["file"]))
        ).any(axis=-1)
        wing = np.asarray(Image.open(a / first["mask"])) == classes.index("wing")
        assert changed.any()
        assert changed[~wing].mean() < 0.02  # the antialiased edge


def test_wrong_input(saecli):
    for args, words in (
        (["--species", "blue jey"], "blue jay"),
        (["--kind", "fish"], "bird"),
        (["--counterfactual", "wing"], "ATTRIBUTE=VALUE"),
        (["--species", "blue jay", "--counterfactual", "wing=plaid"], "grey"),
        (["--species", "blue jay", "--counterfactual", "beak=red"], "wing"),
    ):
        outcome = saecli("demo", "--out", "x", "--n", "2", *args)
        assert outcome.code in (1, 2)
        assert words in outcome.sentence
        assert not (saecli.folder / "x").exists()
    saecli("demo", "--out", "y", "--n", "2")
    again = saecli("demo", "--out", "y", "--n", "2")
    assert again.code == 2
    assert "y" in again.sentence
