"""The example catalog is whole: every command works on it straight after the clone."""

import json
import re
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from saecli.catalog.schema import SCHEMA
from tests.commands import CHECKOUT, Saecli

EXAMPLE = CHECKOUT / "catalog.example.db"
NAMED = "catalog.example.db"


@pytest.fixture
def clone(tmp_path, monkeypatch, capsys) -> Saecli:
    """saecli in a folder with the example, which SAECLI_CATALOG names."""
    shutil.copy(EXAMPLE, tmp_path / NAMED)
    monkeypatch.setenv("SAECLI_CATALOG", NAMED)
    return Saecli(tmp_path, monkeypatch, capsys)


def labelled(saecli: Saecli, name: str) -> str:
    """The latent of CLIP's dictionary that the example labels so."""
    found = saecli.json("search", name)["results"]
    (ref,) = [row["ref"] for row in found if row["label"] == name and row["ref"].startswith("clip")]
    return str(ref)


def test_it_is_one_small_whole_file_of_the_newest_schema_without_a_log():
    assert EXAMPLE.stat().st_size < 10_000_000
    with closing(sqlite3.connect(f"file:{EXAMPLE}?mode=ro", uri=True)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert raw.execute("SELECT count(*) FROM artifact WHERE path IS NOT NULL").fetchone() == (
            0,
        )
        assert raw.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


def test_nothing_in_it_tells_where_it_was_made():
    absolute = re.compile(r"(?<![\w.:<])(/|[A-Z]:\\)[A-Za-z]\w*")
    with closing(sqlite3.connect(f"file:{EXAMPLE}?mode=ro", uri=True)) as raw:
        tables = [
            name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        values = (
            value
            for name in tables
            for row in raw.execute(f'SELECT * FROM "{name}"')
            for value in row
        )
        assert [text for text in values if isinstance(text, str) and absolute.search(text)] == []


def test_it_is_read_where_it_lies(clone):
    before = (clone.folder / NAMED).read_bytes()
    found = clone.json("list")
    assert [row["name"] for row in found["dictionaries"]] == ["clip", "dinov2", "dinov2-untrained"]
    assert {row["name"] for row in found["probes"]} == {
        *("clip-species", "clip-zeroshot", "dinov2-species", "dinov2-ground"),
    }
    verdicts = [row["verdict"] for row in found["experiments"]]
    assert verdicts.count("supported") >= 4
    assert set(verdicts) != {"supported"}
    shown = clone.json("show", labelled(clone, "sand"))
    assert shown["exemplars"]
    assert shown["labels"][0]["author"] == "the saecli example"
    assert shown["matches"]
    assert (clone.folder / NAMED).read_bytes() == before
    assert [path.name for path in clone.folder.iterdir()] == [NAMED]


def test_the_first_write_goes_to_a_copy_and_says_so(clone):
    before = (clone.folder / NAMED).read_bytes()
    outcome = clone("label", "clip:0", "a first look")
    assert outcome.code == 0
    assert "copied it to ./catalog.db" in outcome.err
    assert (clone.folder / NAMED).read_bytes() == before
    own = clone.json("show", "clip:0", "--catalog", "catalog.db")
    assert own["label"] == "a first look"
    assert clone.json("show", "clip:0")["label"] is None


def test_it_is_upgraded_in_a_copy(tmp_path, monkeypatch, capsys):
    shutil.copy(EXAMPLE, tmp_path / "catalog.db")
    saecli = Saecli(tmp_path, monkeypatch, capsys)
    assert saecli("catalog", "upgrade", "--catalog", "catalog.db").code == 0
    assert saecli("catalog", "check", "--catalog", "catalog.db").code == 0


def test_a_picture_is_inspected_and_its_strongest_latent_knocked_out(clone):
    clone("demo", "--out", "pictures", "--n", "220", "--seed", "604", "--kind", "landscape")
    seen = clone.json("inspect", "pictures/000003.png", "--patches", "90-92")
    assert len(seen["latents"][0]["exemplars"]) > 0
    sand = clone.json("show", "experiment:5")["hypothesis"]["latents"]
    found = clone.json(
        *("knockout", *sand, "--images", "pictures", "--probe", "dinov2-ground"),
        *("--class", "sand", "--value", "set:-2", "--controls", "19", "--catalog", "catalog.db"),
    )
    assert found["verdict"] == "supported"
    assert found["changed"]["target"] >= 0.9
    assert found["changed"]["other"] <= 0.12
    assert found["zero_edit"]["max_abs_difference"] == 0


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """Pictures of another seed: what is true of each, and where they lie."""
    from saecli.demo.writing import write_pictures

    folder = tmp_path_factory.mktemp("unseen") / "pictures"
    write_pictures(folder, 400, 605)
    facts = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    return folder, facts


@pytest.fixture(scope="module")
def maxima(unseen):
    """(400, 512) largest activation of each latent of `dinov2` on each of these pictures."""
    import torch

    from saecli.catalog.dictionaries import get_dictionary
    from saecli.catalog.opening import open_catalog
    from saecli.images.decoding import decode
    from saecli.images.sources import open_source
    from saecli.progress import SILENT
    from saecli.workflows.models import backbone_of, load_dictionary

    with open_catalog(EXAMPLE) as catalog, catalog.reading() as session:
        info = get_dictionary(session, "dinov2")
        dictionary = load_dictionary(catalog, info, "cpu")
    backbone = backbone_of(info, SILENT, device="cpu")
    files = open_source(unseen[0]).files
    found = []
    for start in range(0, len(files), 50):
        x = torch.stack([backbone.preprocess(decode(f.path)) for f in files[start : start + 50]])
        f = dictionary.encode(backbone.record(x, info.layer).patches)
        found.append(f.amax(dim=1))
    return torch.cat(found).numpy()


def shows(unseen, concept: str) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures show a ground or a coloured part of a bird, and which count (no slivers)."""
    folder, facts = unseen
    colour, _, part = concept.rpartition(" ")
    if colour:
        found = np.array([fact["attributes"].get(part) == colour for fact in facts])
        return found, np.ones(len(facts), dtype=bool)
    classes = (folder / "masks" / "classes.txt").read_text().split()
    masks = [np.asarray(Image.open(folder / fact["mask"])) for fact in facts]
    share = np.array([(mask == classes.index(concept)).mean() for mask in masks])
    return share >= 0.05, (share == 0) | (share >= 0.05)


@pytest.mark.parametrize("concept", ["sand", "water", "blue wing", "yellow breast"])
def test_the_counterpart_of_a_known_concept_detects_it_too(clone, unseen, maxima, concept):
    found = clone.json("compare", "--from", labelled(clone, concept), "--to", "dinov2")
    first = found["matches"][0]
    assert found["counterpart"] == first["ref"]
    assert first["score"] >= 0.6
    assert found["untrained_score"] is not None
    assert found["beyond_untrained"] is not None
    shown, counts = shows(unseen, concept)
    assert shown.sum() >= 20
    scores = maxima[:, int(first["ref"].split(":")[1])]
    assert roc_auc_score(shown[counts], scores[counts]) >= 0.9


def test_a_concept_that_only_captions_unite_has_no_counterpart(clone):
    found = clone.json("compare", "--from", labelled(clone, "crash"), "--to", "dinov2")
    assert (found["counterpart"], found["reason"]) == (None, "too_weak")
    assert found["matches"][0]["score"] < 0.5
    assert found["untrained_score"] is not None


PAIRS = {1: ("wing=grey", 0.7), 2: ("breast=grey", 0.6), 3: ("head=brown", 0.6)}
"""Experiments of the example: what the twin of the species changes, and how many must turn."""


@pytest.mark.slow
@pytest.mark.parametrize("number", PAIRS)
def test_knocking_out_what_tells_two_species_apart_turns_one_into_the_other(clone, number):
    change, share = PAIRS[number]
    shown = clone.json("show", f"experiment:{number}")
    plan = shown["plan"]
    drawn = ("--n", "900", "--seed", "606")
    clone("demo", "--out", "birds", *drawn, "--kind", "bird")
    clone("demo", "--out", "twins", *drawn, "--counterfactual", change)
    found = clone.json(
        *("knockout", *shown["hypothesis"]["latents"], "--images", "birds", "--twins", "twins"),
        *("--probe", plan["probe"], "--class", plan["class_name"], "--expect", plan["expect"]),
    )
    assert found["n_images"] >= 25
    assert found["verdict"] == "supported"
    assert found["flipped"]["to_expected"] >= share
    assert found["controls"]["random_directions"]["flipped"]["from_class"] <= 0.05
    assert found["ceiling"]["flipped"]["to_expected"] >= 0.9


@pytest.mark.slow
def test_a_concept_of_another_attribute_is_not_supported(clone):
    shown = clone.json("show", "experiment:4")
    clone("demo", "--out", "birds", "--n", "900", "--seed", "607", "--kind", "bird")
    for refs in (shown["hypothesis"]["latents"], [labelled(clone, "sand")]):
        found = clone.json(
            *("knockout", *refs, "--images", "birds", "--probe", "clip-species"),
            *("--class", "blue jay", "--expect", "Clark's nutcracker"),
        )
        assert found["verdict"] != "supported"
        assert found["flipped"]["from_class"] <= 0.05
