"""`saecli compare` finds what fires on the same pictures, and says when nothing does."""

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
    f = dictionary.encode(backbone.record(x, info.layer).patches)
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


def test_an_untrained_twin_stands_beside_every_match(saecli_trained, models, pictures):
    trained = saecli_trained(
        *("train", "--backbone", f"dinov2:{models['dinov2']}", "--images", pictures),
        *("--name", "dinov2-untrained", "--untrained", "--latents", "48", "--k", "4"),
        *("--n-patches", "4000", "--batch", "256", "--layer", "1"),
    )
    assert trained.code == 0, trained.err
    busiest = saecli_trained.json("show", "clip")["latents"][0]["ref"]
    found = saecli_trained.json("compare", "--from", busiest, "--to", "dinov2")
    assert -1 <= found["untrained_score"] <= 1
    assert found["beyond_untrained"] in (True, False)


def test_whole_dictionaries_are_compared_both_ways(saecli_trained):
    found = saecli_trained.json("compare", "--from", "clip", "--to", "dinov2")
    for way, source, target in (("forward", "clip", "dinov2"), ("backward", "dinov2", "clip")):
        one = found[way]
        assert (one["source"], one["target"]) == (source, target)
        assert one["n_comparable"] == len(one["latents"])
        assert one["n_found"] == sum(row["counterpart"] for row in one["latents"])
    assert saecli_trained("compare", "--from", "clip", "--to", "dinov2").code == 0


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
