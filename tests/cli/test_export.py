"""What the catalog knows of a dictionary, as files for other programs."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.latents import exemplar_maps
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiles import get_profile
from saecli.catalog.statistics import statistics

# The fields of NeuronpediaDashboardBatch, …Feature and …Activation in sae-dashboard 0.8.0.
BATCH = {"model_id", "layer", "sae_set", "sae_id_suffix", "features"}
FEATURE = {
    *("feature_index", "neuron_alignment_indices", "neuron_alignment_values"),
    *("neuron_alignment_l1", "correlated_neurons_indices", "correlated_neurons_l1"),
    *("correlated_neurons_pearson", "correlated_features_indices", "correlated_features_l1"),
    *("correlated_features_pearson", "neg_str", "neg_values", "pos_str", "pos_values"),
    *("frac_nonzero", "freq_hist_data_bar_values", "freq_hist_data_bar_heights"),
    *("logits_hist_data_bar_heights", "logits_hist_data_bar_values", "n_prompts_total"),
    *("n_tokens_in_prompt", "dataset", "activations", "decoder_weights_dist", "vector"),
}
ACTIVATION = {"bin_min", "bin_max", "bin_contains", "tokens", "values", "qualifying_token_index"}


@pytest.fixture
def known(saecli_trained):
    """The dictionary, its figures, and the maps of each latent's top exemplars."""
    with open_catalog(saecli_trained.folder / "catalog.db") as catalog, catalog.reading() as s:
        info = get_dictionary(s, "clip")
        profile = get_profile(s, info)
        maps = [exemplar_maps(s, info, index) for index in range(info.n_latents)]
        return info, profile, statistics(s, profile), maps


def test_tables_hold_every_latent_exemplar_and_label(saecli_trained, known):
    info, profile, figures, maps = known
    saecli_trained.json("label", "clip:3", "a wing", "--author", "ada", "--confidence", 0.5)
    saecli_trained.json("label", "clip:3", "a blue wing", "--author", "ada")
    done = saecli_trained.json("export", "clip", "--format", "parquet", "--out", "tables")
    assert done["files"] == ["latents.parquet", "exemplars.parquet", "labels.parquet"]
    assert done["sha256"] == info.sha256
    folder = saecli_trained.folder / "tables"
    latents, exemplars, labels = (pq.read_table(folder / name) for name in done["files"])

    said = json.loads(latents.schema.metadata[b"saecli"])
    assert said["catalog_id"] == saecli_trained.json("catalog", "info")["catalog_id"]
    assert (said["dictionary_sha256"], said["n_patches"]) == (info.sha256, profile.n_patches)
    assert latents["index"].to_pylist() == list(range(info.n_latents))
    np.testing.assert_array_equal(latents["n_active"], figures.n_active)
    np.testing.assert_allclose(latents["density"], figures.density, rtol=1e-15)
    np.testing.assert_allclose(latents["max_activation"], figures.maximum, rtol=1e-15)
    sums = [sum(counts) for counts in latents["histogram"].to_pylist()]
    np.testing.assert_array_equal(sums, figures.n_active)
    assert latents["label"].to_pylist()[3] == "a blue wing"

    top = [row for row in exemplars.to_pylist() if row["kind"] == "top"]
    told = [one for latent in maps for one in latent]
    assert [row["image_sha256"] for row in top] == [one.sha256 for one in told]
    for row, one in zip(top, told, strict=True):
        dense = np.zeros(info.grid.n_patches, np.float32)
        dense[row["map_patches"]] = row["map_values"]
        np.testing.assert_array_equal(dense, one.map)
        assert row["row"] * info.grid.columns + row["column"] == one.exemplar.patch
    assert {"quantile", "random"} <= set(exemplars["kind"].to_pylist())

    rows = labels.to_pylist()
    assert [(row["text"], row["status"]) for row in rows] == [
        ("a wing", "superseded"),
        ("a blue wing", "current"),
    ]
    assert rows[1]["supersedes"] == rows[0]["uuid"]
    assert rows[0]["confidence"] == 0.5


def test_the_dashboards_files_have_the_fields_that_sae_dashboard_reads(saecli_trained, known):
    info, profile, figures, maps = known
    done = saecli_trained.json("export", "clip", "--format", "saedashboard", "--out", "boards")
    assert done["files"] == ["batch-0.json"]
    told = json.loads((saecli_trained.folder / "boards" / "batch-0.json").read_text())
    assert set(told) == BATCH
    assert (told["layer"], told["sae_set"]) == (info.layer, "clip")
    assert [one["feature_index"] for one in told["features"]] == list(range(info.n_latents))
    for one, latent in zip(told["features"], maps, strict=True):
        assert set(one) == FEATURE
        assert one["frac_nonzero"] == pytest.approx(figures.density[one["feature_index"]])
        assert len(one["freq_hist_data_bar_values"]) == len(one["freq_hist_data_bar_heights"])
        assert sum(one["freq_hist_data_bar_heights"]) == figures.n_active[one["feature_index"]]
        assert (one["n_prompts_total"], one["n_tokens_in_prompt"]) == (
            profile.n_images,
            info.grid.n_patches,
        )
        top = [shown for shown in one["activations"] if shown["bin_min"] == -1]
        assert len(top) == len(latent)
        for shown, exemplar in zip(top, latent, strict=True):
            assert set(shown) == ACTIVATION
            assert len(shown["tokens"]) == len(shown["values"])
            assert shown["tokens"][0] == exemplar.exemplar.image.path
            at = shown["qualifying_token_index"]
            row, column = map(int, shown["tokens"][at].split(","))
            assert row * info.grid.columns + column == exemplar.exemplar.patch
            assert shown["values"][at] == max(shown["values"])


def test_what_is_there_is_not_replaced_unless_told(saecli_trained):
    base = ("export", "clip", "--format", "parquet", "--out", "tables")
    (saecli_trained.folder / "tables").mkdir()
    assert saecli_trained(*base).code == 0
    outcome = saecli_trained(*base)
    assert outcome.code == 1
    assert "is there already" in outcome.sentence
    assert saecli_trained(*base, "--force").code == 0
    assert saecli_trained("export", "clip", "--format", "csv", "--out", "x").code == 2


def test_without_pyarrow_a_sentence_says_what_to_install(saecli_trained, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    outcome = saecli_trained("export", "clip", "--format", "parquet", "--out", "tables")
    assert outcome.code == 1
    assert "pip install 'saecli[tables]'" in outcome.sentence
    assert not (saecli_trained.folder / "tables").exists()
