"""`saecli compare` finds what fires on the same pictures, and says when nothing does."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiles import current_profile
from saecli.catalog.statistics import read_signature
from saecli.progress import SILENT


def signatures(saecli, name):
    with (
        open_catalog(saecli.folder / "catalog.db") as catalog,
        catalog.reading() as session,
    ):
        profile = current_profile(session, get_dictionary(session, name))
        return read_signature(session, profile)[1].astype(np.float64)


def patches(saecli, name):
    """(48, images · patches): each latent on each patch of the pictures, from the model itself."""
    from saecli.images.decoding import decode
    from saecli.workflows.models import backbone_of, load_dictionary
    from saecli.workflows.pictures import open_pictures

    with open_catalog(saecli.folder / "catalog.db") as catalog, catalog.reading() as session:
        info = get_dictionary(session, name)
        dictionary = load_dictionary(catalog, info, "cpu")
        source = current_profile(session, info).image_set.root
    backbone = backbone_of(info, SILENT, device="cpu")
    assert (backbone.grid.rows, backbone.grid.columns) == (4, 4)  # the grid that is compared on
    files = open_pictures(source, SILENT).files
    x = torch.stack([backbone.preprocess(decode(file.path)) for file in files])
    f = dictionary.encode(backbone.record(x, info.layer).patches.half().float())  # as recorded
    return f.flatten(0, 1).T.double().numpy()


def test_the_score_is_the_correlation_of_patch_maps_and_the_best_comes_first(saecli_trained):
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    found = saecli_trained.json("compare", "--from", busiest, "--to", "dinov2", "--top", "3")
    source = patches(saecli_trained, "clip")[int(busiest.split(":")[1])]
    target = patches(saecli_trained, "dinov2")
    r = {i: pearsonr(source, row).statistic for i, row in enumerate(target) if row.std() > 0}
    best = sorted(r, key=lambda i: (-r[i], i))[:3]
    assert found["method"] == "pearson_of_patch_maps"
    assert [match["ref"] for match in found["matches"]] == [f"dinov2:{i}" for i in best]
    expected = pytest.approx([r[i] for i in best], abs=1e-3)  # kept in float16
    assert [match["score"] for match in found["matches"]] == expected


def test_the_document_has_the_keys_that_programs_rely_on(saecli_trained):
    found = saecli_trained.json("compare", "--from", "clip:3", "--to", "dinov2")
    assert {
        *("source", "target", "method", "matches", "counterpart", "reason"),
        *("untrained_score", "beyond_untrained"),
    } <= set(found)
    assert set(found["source"]) == {"ref", "label"}
    assert found["target"] == "dinov2"
    assert found["untrained_score"] is None  # no twin in this catalog
    for match in found["matches"]:
        assert {"ref", "score", "ci", "p_value", "label", "exemplars"} <= set(match)


def test_a_latent_that_never_fires_has_no_counterpart_and_the_reason_is_given(saecli_trained):
    rows = saecli_trained.json("show", "clip", "--sort", "index", "--top", "48")["latents"]
    active = (signatures(saecli_trained, "clip") > 0).sum(axis=1)
    rare = int(np.argmin(active))
    assert active[rare] < 20, rows
    found = saecli_trained.json("compare", "--from", f"clip:{rare}", "--to", "dinov2")
    assert found["counterpart"] is None
    assert found["reason"] == "too_few_active"


def test_what_was_found_is_shown_with_the_latent(saecli_trained):
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    found = saecli_trained.json("compare", "--from", busiest, "--to", "dinov2", "--top", "2")
    assert len(found["matches"]) == 2
    assert saecli_trained.json("show", busiest)["matches"] == found["matches"]
    word = "yes" if found["counterpart"] else f"no: {found['reason'].replace('_', ' ')}"
    assert word in saecli_trained("show", busiest).out


def test_one_seed_gives_one_answer(saecli_trained):
    args = ("compare", "--from", "clip:3", "--to", "dinov2", "--seed", "5")
    assert saecli_trained.json(*args) == saecli_trained.json(*args)


def train_twin(saecli, models, pictures, latents=48):
    trained = saecli(
        *("train", "--backbone", f"dinov2:{models['dinov2']}", "--images", pictures),
        *("--name", "dinov2-untrained", "--untrained", "--latents", latents, "--k", "4"),
        *("--n-patches", "4000", "--batch", "256", "--layer", "1"),
    )
    assert trained.code == 0, trained.err


def best(source, target):
    """The row of ``target`` that correlates most with ``source``, and its r."""
    r = np.array([pearsonr(source, row).statistic if row.std() > 0 else -2 for row in target])
    return int(r.argmax()), float(r.max())


def lead(source, first, second):
    """The lower 95 % limit of r(source, first) − r(source, second), pictures resampled."""
    maps = [one.reshape(-1, 16) for one in (source, first, second)]
    rng, found = np.random.default_rng(0), []
    for _ in range(1000):
        drawn = rng.integers(0, len(maps[0]), len(maps[0]))
        x, a, b = (one[drawn].ravel() for one in maps)
        found.append(np.corrcoef(x, a)[0, 1] - np.corrcoef(x, b)[0, 1])
    return float(np.quantile(found, 0.025))


def test_an_untrained_twin_stands_beside_every_match(saecli_trained, models, pictures):
    train_twin(saecli_trained, models, pictures)
    rows = saecli_trained.json("show", "clip", "--top", 12)["latents"]
    clip, dinov2, twin = (
        patches(saecli_trained, name) for name in ("clip", "dinov2", "dinov2-untrained")
    )
    told = []
    for ref in (row["ref"] for row in rows):
        found = saecli_trained.json("compare", "--from", ref, "--to", "dinov2")
        source = clip[int(ref.split(":")[1])]
        place, score = best(source, twin)
        assert found["untrained_ref"] == f"dinov2-untrained:{place}"
        assert found["untrained_score"] == pytest.approx(score, abs=1e-3)
        limit = lead(source, dinov2[best(source, dinov2)[0]], twin[place])
        if abs(limit) > 0.02:  # another resampling does not decide it
            told.append(found["beyond_untrained"])
            assert told[-1] == (limit > 0), (ref, limit)
    assert len(told) > 6
    out = saecli_trained("compare", "--from", ref, "--to", "dinov2").out
    assert f"Best of the untrained twin, {found['untrained_ref']}: " in out
    with closing(sqlite3.connect(saecli_trained.folder / "catalog.db")) as raw:
        (kept,) = raw.execute("select settings from comparison order by id desc limit 1").fetchone()
        (sha256,) = raw.execute(
            "select sha256 from dictionary where name = 'dinov2-untrained'"
        ).fetchone()
    assert json.loads(kept)["untrained"] == {
        "dictionary": "dinov2-untrained",
        "sha256": sha256,
        "ref": found["untrained_ref"],
    }


def test_an_untrained_dictionary_of_another_width_is_no_twin_and_is_named(
    saecli_trained, models, pictures
):
    train_twin(saecli_trained, models, pictures, latents=24)
    outcome = saecli_trained("compare", "--from", "clip:3", "--to", "dinov2", "--json")
    assert outcome.document["untrained_score"] is None
    assert "'dinov2-untrained' has 24 latents and 'dinov2' 48" in outcome.err


def test_whole_dictionaries_are_compared_both_ways(saecli_trained):
    found = saecli_trained.json("compare", "--from", "clip", "--to", "dinov2")
    for way, source, target in (("forward", "clip", "dinov2"), ("backward", "dinov2", "clip")):
        one = found[way]
        assert (one["source"], one["target"]) == (source, target)
        assert (one["method"], one["n_images"]) == ("pearson_of_patch_maps", 40)
        active = (signatures(saecli_trained, source) > 0).sum(axis=1)
        comparable = np.flatnonzero(active >= 20)
        assert one["n_comparable"] == len(comparable) > 10
        assert [row["ref"] for row in one["latents"]] == [f"{source}:{i}" for i in comparable]
        ours, theirs = patches(saecli_trained, source), patches(saecli_trained, target)
        for row, latent in zip(one["latents"], comparable, strict=True):
            place, score = best(ours[latent], theirs)
            assert row["match"] == f"{target}:{place}"
            assert row["score"] == pytest.approx(score, abs=1e-3)
            if score < 0.49:
                assert not row["counterpart"]
        assert one["n_found"] == sum(row["counterpart"] for row in one["latents"])
        assert one["share"] == one["n_found"] / len(comparable)
    rows = {row["ref"]: row for way in ("forward", "backward") for row in found[way]["latents"]}
    for ref in list(rows)[:3] + list(rows)[-3:]:
        (match,) = saecli_trained.json("show", ref)["matches"]
        assert (match["ref"], match["score"]) == (rows[ref]["match"], rows[ref]["score"])
        assert (match["p_value"], match["reason"]) == (rows[ref]["adjusted_p"], rows[ref]["reason"])
    table = saecli_trained("compare", "--from", "clip", "--to", "dinov2")
    assert table.code == 0
    assert f"{found['forward']['n_comparable']}" in table.out


def test_wrong_input(saecli_trained, pictures, tmp_path):
    same = saecli_trained("compare", "--from", "clip:3", "--to", "clip")
    assert same.code == 2
    assert "dictionary 'clip'" in same.sentence
    assert saecli_trained("compare", "--from", "clip:99", "--to", "dinov2").code == 1
    assert saecli_trained("compare", "--from", "clip:3+4", "--to", "dinov2").code == 2
    unknown = saecli_trained("compare", "--from", "clip:3", "--to", "dino")
    assert unknown.code == 1
    assert "dinov2 and clip" in unknown.sentence


def test_dictionaries_profiled_on_different_pictures_are_not_compared(saecli, models, pictures):
    for name, n in (("a", 20), ("b", 24)):
        args = ("train", "--backbone", f"dinov2:{models['dinov2']}", "--images", pictures)
        small = ("--latents", "16", "--k", "2", "--n-patches", "1000", "--batch", "64")
        assert saecli(*args, *small, "--name", name, "--n-images", n, "--seed", n).code == 0
    outcome = saecli("compare", "--from", "a:0", "--to", "b")
    assert outcome.code == 1
    assert "profiled on different pictures" in outcome.sentence
    assert "saecli profile" in outcome.sentence


def test_each_match_says_where_the_source_stands_seen_from_it(saecli_trained):
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    found = saecli_trained.json("compare", "--from", busiest, "--to", "dinov2", "--top", "3")
    own, number = patches(saecli_trained, "clip"), int(busiest.split(":")[1])
    target = patches(saecli_trained, "dinov2")
    for match in found["matches"]:
        row = target[int(match["ref"].split(":")[1])]
        r = {i: pearsonr(row, other).statistic for i, other in enumerate(own) if other.std() > 0}
        rank = 1 + sum(value > r[number] + 1e-4 for value in r.values())
        assert match["reciprocal_rank"] == pytest.approx(1 / rank)
    scores = [match["score"] for match in found["matches"]]
    assert found["margin"] == pytest.approx(scores[0] - scores[1])
    assert found["set"] is None


def test_a_set_is_a_concept_that_other_commands_take(saecli_trained):
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    found = saecli_trained.json("compare", "--from", busiest, "--to", "dinov2", "--set", "3")["set"]
    assert found["ref"].startswith("dinov2:")
    assert 1 <= len(found["ref"].split("+")) <= 3
    assert found["ci"][0] <= found["score"] <= found["ci"][1]
    table = saecli_trained("compare", "--from", busiest, "--to", "dinov2", "--set", "3").out
    assert f"Together: {found['ref']}" in table
    wrong = saecli_trained("compare", "--from", "clip", "--to", "dinov2", "--set", "3")
    assert wrong.code == 2
    assert "a set is grown for one latent" in wrong.sentence
