"""`saecli search` and `similar`: what is found is what the catalog's figures say."""

import shutil

import numpy as np
import pytest

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiles import get_profile
from saecli.catalog.statistics import read_signature, statistics
from tests.commands import CHECKOUT, Saecli


@pytest.fixture
def example(tmp_path, monkeypatch, capsys):
    shutil.copy(CHECKOUT / "catalog.example.db", tmp_path / "catalog.db")
    return Saecli(tmp_path, monkeypatch, capsys)


def figures(folder, name):
    """Statistics and signatures of a dictionary, read apart from the search."""
    with open_catalog(folder / "catalog.db") as catalog, catalog.reading() as session:
        profile = get_profile(session, get_dictionary(session, name))
        return statistics(session, profile), read_signature(session, profile)[1]


def liveliest(folder):
    """The latent of `clip` whose signature varies most."""
    return int(figures(folder, "clip")[1].astype(np.float64).std(axis=1).argmax())


def refs(document):
    return [row["ref"] for row in document["results"]]


def test_figures_narrow_and_order(saecli_trained):
    found = saecli_trained.json(
        *("search", "--density", "0.01..0.2", "--max", ">0.5", "--dictionary", "clip"),
        *("--sort", "max", "--top", 100),
    )
    stats, _ = figures(saecli_trained.folder, "clip")
    within = (stats.density >= 0.01) & (stats.density <= 0.2) & (stats.maximum > 0.5)
    expected = sorted(np.flatnonzero(within), key=lambda i: (-stats.maximum[i], i))
    assert expected
    assert refs(found) == [f"clip:{i}" for i in expected]
    assert found["n_found"] == len(expected)
    first = found["results"][0]
    assert first["score"] == first["max_activation"] == stats.maximum[expected[0]]
    assert first["density"] == stats.density[expected[0]]


def test_pages_join_to_the_whole(saecli_trained):
    whole = saecli_trained.json("search", "--density", "..1", "--top", 1000)
    pages = [
        saecli_trained.json("search", "--density", "..1", "--top", 40, "--skip", skip)
        for skip in (0, 40, 80)
    ]
    assert [ref for page in pages for ref in refs(page)] == refs(whole)
    assert {page["n_found"] for page in pages} == {96}
    assert (
        "--skip 40 shows the next"
        in saecli_trained(*("search", "--density", "..1", "--top", 40)).out
    )


def test_words_and_figures_hold_at_once(saecli_trained):
    for ref in ("clip:3", "clip:4", "dinov2:5"):
        saecli_trained("label", ref, "blue water", "--author", "ada")
    assert set(refs(saecli_trained.json("search", "blue"))) == {"clip:3", "clip:4", "dinov2:5"}
    stats, _ = figures(saecli_trained.folder, "clip")
    between = sorted(stats.density[[3, 4]])
    cut = f"{(between[0] + between[1]) / 2:.12f}.."
    denser = f"clip:{3 if stats.density[3] > stats.density[4] else 4}"
    found = saecli_trained.json("search", "blue", "--dictionary", "clip", "--density", cut)
    assert refs(found) == [denser]
    assert found["results"][0]["label"] == "blue water"
    unlabelled = saecli_trained.json("search", "--unlabelled", "--top", 1000)
    assert unlabelled["n_found"] == 96 - 3
    assert saecli_trained.json("search", "--labelled")["n_found"] == 3


def test_a_class_finds_what_fires_on_its_pictures(example):
    found = example.json("search", "--class", "blue jay", "--dictionary", "clip", "--top", 512)
    known = {row["ref"]: row for row in found["results"]}
    assert known["clip:282"]["of_class"]["auroc"] > 0.85, "the blue of the wing"
    assert [row["score"] for row in found["results"]] == sorted(
        (row["of_class"]["auroc"] for row in found["results"]), reverse=True
    )
    for row in found["results"]:
        told = row["of_class"]
        assert told["q"] <= 0.05
        assert told["ci"][0] <= told["auroc"] <= told["ci"][1]
    assert found["n_found"] < 512


def test_classes_that_are_not_there_are_said(saecli_trained, example):
    outcome = example("search", "--class", "blue jaay")
    assert (outcome.code, "blue jay" in outcome.sentence) == (1, True)


def test_like_another_latent_is_what_similar_lists(saecli_trained):
    own = f"clip:{liveliest(saecli_trained.folder)}"
    for by in ("alike", "together", "decoder"):
        similar = saecli_trained.json("similar", own, "--by", by, "--top", 5)
        found = saecli_trained.json("search", "--like", own, "--by", by, "--top", 5)
        assert refs(similar) == refs(found)
        assert len(refs(similar)) == 5
        assert own not in refs(similar)
        assert [one["score"] for one in similar["results"]] == sorted(
            (one["score"] for one in similar["results"]), reverse=True
        )


def test_similar_gives_the_relations_of_the_signatures(saecli_trained):
    _, signature = figures(saecli_trained.folder, "clip")
    own = liveliest(saecli_trained.folder)
    varied = np.flatnonzero(signature.std(axis=1) > 0)
    r = np.full(len(signature), np.nan)
    r[varied] = np.corrcoef(signature[varied].astype(np.float64))[varied.tolist().index(own)]
    r[own] = np.nan
    found = saecli_trained.json("similar", f"clip:{own}", "--top", 3)
    expected = np.argsort(-np.nan_to_num(r, nan=-9), kind="stable")[:3]
    assert refs(found) == [f"clip:{i}" for i in expected]
    for one, index in zip(found["results"], expected, strict=True):
        assert one["fires_alike"] == pytest.approx(r[index], abs=1e-5)
        assert -1 <= one["decoder"] <= 1
        assert 0 <= one["fires_together"] <= 1


def test_a_meaning_is_read_by_clip_over_the_pictures_of_the_signatures(
    saecli_trained, models, tmp_path, monkeypatch
):
    import open_clip
    import torch

    monkeypatch.setenv("SAECLI_CACHE", str(tmp_path / "cache"))
    found = saecli_trained.json("search", "--meaning", "a blue bird", "--top", 96)
    again = saecli_trained.json("search", "--meaning", "a blue bird", "--top", 96)
    assert again == found, "from the cache"
    assert len(list((tmp_path / "cache" / "meaning").glob("*.npy"))) == 1
    # CLIP's own forward passes on the same thumbnails, and NumPy's correlation.
    import io
    import sqlite3

    from PIL import Image

    from saecli.backbones import load
    from saecli.workflows.clip_reading import TEMPLATES

    with sqlite3.connect(saecli_trained.folder / "catalog.db") as catalog:
        rows = catalog.execute(
            "SELECT t.data FROM image_set_member m JOIN thumbnail t ON t.image_id = m.image_id "
            "WHERE m.image_set_id = (SELECT max(image_set_id) FROM profile) ORDER BY m.position"
        ).fetchall()
    backbone = load(f"clip:{models['clip']}", device="cpu")
    pixels = torch.stack(
        [backbone.preprocess(Image.open(io.BytesIO(data)).convert("RGB")) for (data,) in rows]
    )
    with torch.no_grad():
        pictures = backbone.model.encode_image(pixels, normalize=True).numpy()
        texts = backbone.tokenizer()([one.format("a blue bird") for one in TEMPLATES])
        text = backbone.model.encode_text(texts, normalize=True).mean(0)
        text = torch.nn.functional.normalize(text, dim=0).numpy()
    assert open_clip.__version__
    _, signature = figures(saecli_trained.folder, "clip")
    assert signature.shape[1] == len(pictures)
    for row in found["results"]:
        name, index = row["ref"].split(":")
        if name == "clip":
            r = np.corrcoef(pictures @ text, signature[int(index)].astype(np.float64))[0, 1]
            assert row["score"] == pytest.approx(r, abs=1e-4)
    assert {row["ref"].split(":")[0] for row in found["results"]} == {"clip", "dinov2"}


def test_a_picture_finds_what_fires_there_and_is_kept_as_an_observation(saecli_trained, pictures):
    picture = sorted(pictures.glob("*.png"))[0]
    seen = saecli_trained.json("inspect", picture, "--dictionary", "clip", "--top", 48)
    found = saecli_trained.json("search", "--image", picture, "--dictionary", "clip", "--top", 48)
    assert set(refs(found)) == {one["ref"] for one in seen["latents"]}
    _, signature = figures(saecli_trained.folder, "clip")
    for row in found["results"]:
        own = signature[int(row["ref"].split(":")[1])]
        assert row["score"] == (own < np.float16(row["activation"])).mean()
    assert [row["score"] for row in found["results"]] == sorted(
        (row["score"] for row in found["results"]), reverse=True
    )
    (number,) = found["observations"]
    assert number == seen["observation"] + 1


def test_patches_of_a_picture_are_looked_at_alone(saecli_trained, pictures):
    picture = sorted(pictures.glob("*.png"))[0]
    one = saecli_trained.json(
        *("search", "--image", picture, "--patches", "5", "--dictionary", "clip", "--top", 48)
    )
    seen = saecli_trained.json("inspect", picture, "--patches", "5", "--dictionary", "clip")
    assert {row["ref"]: row["activation"] for row in one["results"]} == pytest.approx(
        {row["ref"]: row["activation"] for row in seen["latents"]}, abs=1e-5
    )
    several = saecli_trained("search", "--image", picture, "--patches", "5")
    assert several.code == 2
    assert "--dictionary" in several.sentence


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "nothing is asked for"),
        (("--density", "much"), 2, "is no range"),
        (("--sort", "score", "--density", "..1"), 2, "no score"),
        (("--patches", "3", "blue"), 2, "--image"),
        (("--meaning", " "), 2, "blank"),
        (("--like", "clip:9999"), 1, "no latent clip:9999"),
        (("--like", "clip:3", "--dictionary", "dinov2"), 2, "saecli compare"),
        (("--dictionary", "nosuch", "blue"), 1, "no dictionary 'nosuch'"),
        (("--class", "owl"), 1, "class"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_sentence(saecli_trained, words, code, sentence):
    outcome = saecli_trained("search", *words)
    assert outcome.code == code, outcome.err
    assert sentence in outcome.sentence


def test_a_page_beyond_the_last_says_so(saecli_trained):
    outcome = saecli_trained("search", "--density", "..1", "--skip", 500)
    assert outcome.code == 0
    assert "96 found, fewer than --skip 500" in outcome.out
