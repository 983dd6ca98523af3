"""Whatever a user gives: one sentence, the right exit code, and nothing lost or half-written."""

import shutil
import sqlite3
import struct
import zlib
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from tests.commands import CHECKOUT
from tests.models import write_tiny_clip, write_tiny_dinov2


def refuses(outcome, code, *words):
    assert outcome.code == code, outcome.err
    for word in words:
        assert word in outcome.sentence
    assert outcome.out == ""


def counts(saecli):
    return saecli.json("catalog", "info")["counts"]


def test_a_patch_beyond_the_grid(saecli_trained, pictures):
    outcome = saecli_trained("inspect", pictures / "000003.png", "--patches", "3,16")
    refuses(outcome, 2, "patch 16 is beyond the 4×4 grid", "from 0 to 15")
    assert counts(saecli_trained)["observations"] == 0


@pytest.mark.parametrize("patches", ["three", "5-3", "3,,4"])
def test_a_patch_list_of_another_form(saecli_trained, pictures, patches):
    refuses(
        saecli_trained("inspect", pictures / "000003.png", "--patches", patches),
        2,
        "no patch or range",
    )


@pytest.mark.parametrize(
    "command",
    [
        ["show", "dino"],
        ["show", "dino:3"],
        ["label", "dino:3", "x"],
        ["export", "dino", "--out", "x.safetensors"],
        ["profile", "dino", "--images", "."],
        ["catalog", "default", "dino"],
    ],
)
def test_an_unknown_dictionary_is_named_with_those_there_are(saecli_trained, command):
    outcome = saecli_trained(*command)
    refuses(outcome, 1, "no dictionary 'dino'", "dinov2 and clip")


def test_an_unknown_dictionary_for_inspect(saecli_trained, pictures):
    outcome = saecli_trained("inspect", pictures / "000003.png", "--dictionary", "dino")
    refuses(outcome, 1, "no dictionary 'dino'", "dinov2 and clip")


@pytest.mark.parametrize("command", [["show", "clip:48"], ["label", "clip:48", "beyond"]])
def test_a_latent_beyond_the_dictionary(saecli_trained, command):
    refuses(saecli_trained(*command), 1, "48", "47")


def png_bomb():
    """A PNG that claims 100,000 × 100,000 pixels."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    body = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["text", "truncated", "bomb", "empty", "folder", "missing"])
def test_a_picture_that_cannot_be_read(saecli_trained, pictures, tmp_path, kind):
    path = tmp_path / "broken.png"
    whole = (pictures / "000003.png").read_bytes()
    contents = {"text": b"no picture", "truncated": whole[:2000], "bomb": png_bomb(), "empty": b""}
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(contents[kind])
    refuses(saecli_trained("inspect", path, "--patches", "3"), 1, "broken.png")
    assert counts(saecli_trained)["observations"] == 0


def odd_pictures(folder):
    """Pictures of every kind that people have, by name."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    deep = rng.integers(0, 65536, (40, 60)).astype(np.uint16)
    Image.fromarray(deep).save(folder / "sixteen.png")
    rgb.convert("RGBA").save(folder / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(folder / "turned.jpg", exif=exif)
    rgb.convert("P").save(folder / "palette [1].gif")
    return ["cmyk.jpg", "sixteen.png", "clear.png", "turned.jpg", "palette [1].gif"]


def test_pictures_of_every_kind_work(saecli_trained, tmp_path):
    for name in odd_pictures(tmp_path):
        found = saecli_trained.json("inspect", tmp_path / name, "--patches", "0-15")
        assert found["image"]["path"].endswith(name)
    assert counts(saecli_trained)["observations"] == 5


def test_a_folder_without_pictures(saecli, models, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("no pictures here")
    outcome = saecli("train", "--backbone", f"clip:{models['clip']}", "--images", tmp_path / "none")
    refuses(outcome, 1, "holds no pictures")
    assert saecli.json("list")["dictionaries"] == []


def test_broken_pictures_of_a_set_are_left_out_and_named(saecli, models, pictures, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(20):
        shutil.copy(pictures / f"{number:06}.png", folder)
    (folder / "000007.png").write_bytes(b"broken")
    found = saecli.json(
        *("train", "--backbone", f"clip:{models['clip']}", "--images", folder),
        *("--latents", "16", "--k", "2", "--n-patches", "1000", "--batch", "64"),
    )
    assert len(found["skipped"]) == 1
    assert "000007.png" in found["skipped"][0]
    (row,) = saecli.json("list")["image_sets"]
    assert row["n_images"] == 19


def test_a_broken_picture_of_a_streamed_set_changes_nothing_but_itself(
    saecli_trained, pictures, tmp_path
):
    folder = tmp_path / "mixed"
    shutil.copytree(pictures, folder, ignore=shutil.ignore_patterns("masks", "*.jsonl", "*.csv"))
    (folder / "000007.png").write_bytes(b"broken")
    profile = ("profile", "clip", "--images", folder)
    streamed = saecli_trained.json(*profile, "--cache", "0")
    assert streamed["n_images"] == 39
    assert [line.split(":")[0] for line in streamed["skipped"]] == ["000007.png"]
    shown = saecli_trained.json("show", "clip", "--sort", "index", "--top", "48")
    recorded = saecli_trained.json(*profile)
    for key in ("n_images", "n_patches", "n_alive", "skipped"):
        assert recorded[key] == streamed[key]
    again = saecli_trained.json("show", "clip", "--sort", "index", "--top", "48")
    assert [row["density"] for row in again["latents"]] == pytest.approx(
        [row["density"] for row in shown["latents"]], abs=0.02
    )  # what is recorded is rounded to float16


def test_a_streamed_set_of_broken_pictures_alone(saecli_trained, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"broken")
    outcome = saecli_trained("profile", "clip", "--images", folder, "--cache", "0")
    refuses(outcome, 1, "none of 1 pictures could be read")


def test_a_backbone_that_is_no_longer_the_dictionary_s(saecli, pictures, tmp_path):
    folder = write_tiny_clip(tmp_path / "model", seed=0)
    trained = saecli(
        *("train", "--backbone", f"clip:{folder}", "--images", pictures, "--name", "mine"),
        *("--latents", "16", "--k", "2", "--n-patches", "1000", "--batch", "64"),
    )
    assert trained.code == 0, trained.err
    write_tiny_clip(folder, seed=5)  # other weights under the same name
    outcome = saecli("inspect", pictures / "000003.png", "--patches", "1")
    refuses(outcome, 1, "backbone")
    assert counts(saecli)["observations"] == 0


def test_a_backbone_of_the_wrong_family(saecli, models, pictures):
    for family, other in (("clip", "dinov2"), ("dinov2", "clip")):
        outcome = saecli("train", "--backbone", f"{family}:{models[other]}", "--images", pictures)
        assert outcome.code in (1, 2)
        assert other in outcome.sentence


@pytest.mark.parametrize("name", ["dinov2:facebook/dinov2-base", "clip:ViT-B-16/openai"])
def test_a_hub_model_without_a_network_points_to_a_local_folder(
    saecli, pictures, name, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    outcome = saecli("train", "--backbone", name, "--images", pictures)
    refuses(outcome, 1, "FOLDER")


def test_no_catalog_yet(saecli):
    refuses(saecli("list"), 1, "no catalog at ./catalog.db", "saecli train")
    assert list(saecli.folder.iterdir()) == []


def test_a_catalog_that_is_no_database(saecli):
    (saecli.folder / "catalog.db").write_text("I am a text file, and a long one at that. " * 50)
    refuses(saecli("list"), 1, "catalog.db", "is no catalog")
    assert (saecli.folder / "catalog.db").read_text().startswith("I am a text file")


def test_a_database_that_is_no_catalog(saecli):
    with closing(sqlite3.connect(saecli.folder / "catalog.db")) as other, other:
        other.execute("create table cats (name)")
    refuses(saecli("list"), 1, "catalog.db")


@pytest.mark.parametrize(("change", "words"), [(+1, "update"), (-1, "catalog upgrade")])
def test_a_catalog_of_another_schema(saecli_trained, change, words):
    path = saecli_trained.folder / "catalog.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        (now,) = raw.execute("pragma user_version").fetchone()
        raw.execute(f"pragma user_version = {now + change}")
    if now + change == 0:
        words = "catalog.db"  # a schema before the first is no catalog at all
    refuses(saecli_trained("list"), 1, words)


def test_a_name_that_is_taken(saecli_trained, models, pictures):
    outcome = saecli_trained(
        *("train", "--backbone", f"clip:{models['clip']}", "--images", pictures, "--name", "clip")
    )
    refuses(outcome, 1, "dictionary 'clip' already", "--name")


def test_a_layer_that_is_not_there(saecli, models, pictures):
    outcome = saecli(
        *("train", "--backbone", f"clip:{models['clip']}", "--images", pictures, "--layer", "7")
    )
    refuses(outcome, 2, "no layer 7", "0 to 2")


def test_a_label_of_nothing(saecli_trained):
    refuses(saecli_trained("label", "clip:3", "   "), 2, "the label is blank")
    refuses(saecli_trained("label", "clip:3", "x", "--author", " "), 2, "--author is blank")


def test_an_export_never_overwrites(saecli_trained):
    kept = saecli_trained.folder / "mine.safetensors"
    kept.write_text("precious")
    refuses(saecli_trained("export", "clip", "--out", kept), 1, "is there already", "--force")
    assert kept.read_text() == "precious"


def test_an_unknown_command_and_an_unknown_option(saecli):
    for args in (["inspct"], ["list", "--colour"]):
        outcome = saecli(*args)
        assert outcome.code == 2
        assert outcome.sentence


def test_wrong_registers_are_not_dropped_in_silence(saecli, pictures, tmp_path):
    folder = write_tiny_dinov2(tmp_path / "registers", registers=2)
    found = saecli.json(
        *("train", "--backbone", f"dinov2:{folder}", "--images", pictures, "--name", "r"),
        *("--latents", "16", "--k", "2", "--n-patches", "1000", "--batch", "64"),
    )
    assert found["dictionaries"][0]["name"] == "r"
    assert saecli.json("list")["dictionaries"][0]["grid"] == [4, 4]


@pytest.mark.parametrize(
    "args",
    [
        ["train", "--latents", "8y"],
        ["train", "--seed", "9" * 20],
        ["show", "clip:1", "--top", "9" * 20],
        ["profile", "clip", "--images", ".", "--exemplars", "9" * 20],
        ["train", "--images", "", "--backbone", "fieldguide-clip"],
    ],
)
def test_values_that_cannot_be_meant_are_refused_before_any_work(saecli, args):
    refuses(saecli(*args), 2)
    assert not (saecli.folder / "catalog.files").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["show", ""], "'' can't name a dictionary"),
        (["compare", "--from", "", "--to", "clip"], "'' can't name a dictionary"),
        (["compare", "--from", "clip:3", "--to", ""], "'' can't name a dictionary"),
        (["compare", "--from", "clip:3", "--to", "dinov2:3"], "leave its number: dinov2"),
        (["compare", "--from", "clip", "--to", "clip"], "that --from is of"),
        (["inspect", "a.png", "--dictionary", "clip:3"], "leave its number: clip"),
        (["detect", "clip:3", "--images", "a", "--class", "b"], "leave its number: clip"),
        (["label", "clip:3", ""], "the label is blank"),
        (["hypothesis", "add", "", "--latents", "clip:3"], "the hypothesis is blank"),
        (["hypothesis", "add", "x", "--latents", "clip:3+4", "--latents", "d:3"], "one dictionary"),
        (["knockout", "clip:3"], "--images and --probe and --class missing"),
        (["knockout", "clip:3", "--class", "a", "--expect", "a"], "'a' is compared with itself"),
        (["knockout", "clip:3", "--value", "half"], "no value"),
        (["knockout", "clip:3", "--scope", "some"], "no scope"),
        (["knockout", "clip:3", "--doses", "set:1,scale:1"], "of two kinds"),
        (["knockout", "clip:3", "--alpha", "0.9"], "'--alpha' takes at most 0.5"),
        (["knockout", "clip:3", "--controls", "0"], "'--controls' takes at least 1"),
        (["knockout", "clip:3", "--controls", "x"], "'--controls' takes a whole number"),
        (["label", "clip:3", "x", "--confidence", "y"], "'--confidence' takes a number"),
        (["catalog", "default", "clip:3"], "leave its number: clip"),
        (
            [
                "attribute",
                "clip",
                "--images",
                "a",
                "--probe",
                "p",
                "--class",
                "a",
                "--against",
                "a",
            ],
            "'a' is compared with itself",
        ),
        (
            ["experiments", "--verdict", "maybe"],
            "takes one of 'supported', 'refuted', 'inconclusive', not 'maybe'",
        ),
    ],
)
def test_wrong_usage_is_seen_before_the_example_is_copied(saecli, args, words):
    shutil.copy(CHECKOUT / "catalog.example.db", saecli.folder)
    outcome = saecli(*args, "--catalog", "catalog.example.db")
    refuses(outcome, 2, words)
    assert [path.name for path in saecli.folder.iterdir()] == ["catalog.example.db"]
