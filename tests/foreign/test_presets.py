"""Published dictionaries: one command takes what their files leave open from a preset."""

import resource
import shutil
import sys
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.foreign import hub
from saecli.foreign.presets import PRESETS
from tests.foreign.files import in_numpy, saev_header, weights, write_saev

COMMIT = "0" * 40


def cache(folder: Path, repo: str, monkeypatch) -> Path:
    """The folder of a repository's files in a Hugging Face cache of its own."""
    home = folder / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return home / "snapshots" / COMMIT


@pytest.fixture(scope="module")
def deep_clip(tmp_path_factory):
    """A tiny CLIP of twelve blocks, as the published dictionaries' backbones have."""
    from tests.models import write_tiny_clip

    return write_tiny_clip(tmp_path_factory.mktemp("models") / "clip", layers=12)


SINGLE = [name for name, preset in PRESETS.items() if preset.layer is not None]


@pytest.mark.parametrize("name", SINGLE)
def test_a_published_repository_needs_no_more_than_its_name(
    saecli, tmp_path, monkeypatch, deep_clip, name
):
    preset = PRESETS[name]
    folder = cache(tmp_path, preset.repo, monkeypatch)
    state = weights(d=32, s=64)
    write_saev(folder / "sae.pt", saev_header(None), state)
    args = ["import", f"hf://{preset.repo}", "--backbone", f"clip:{deep_clip}"]
    if preset.scale is not None:
        outcome = saecli(*args)
        assert outcome.code == 1
        assert "--mean FILE" in outcome.sentence
        assert not (saecli.folder / "catalog.db").exists()
        np.save(tmp_path / "mean.npy", np.full(32, 0.5, dtype=np.float32))
        args += ["--mean", str(tmp_path / "mean.npy")]
    found = saecli.json(*args)
    assert (found["dictionary"], found["layer"], found["activation"]) == (name, 10, "relu")
    assert (found["format"], found["proof"]["n_patches"]) == ("saev", 32)

    from saecli.sae.checkpoints import load

    assert saecli("export", name, "--out", "out.st").code == 0
    dictionary = load(saecli.folder / "out.st").to(dtype=torch.float64)
    w, x = in_numpy(state), np.linspace(-3, 3, 64).reshape(2, 32)
    z = (x - 0.5) / preset.scale if preset.scale else x
    f = np.maximum((z - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    f *= np.linalg.norm(w["W_dec"], axis=1)
    np.testing.assert_allclose(dictionary.encode(torch.from_numpy(x)).numpy(), f, atol=1e-4)


def test_a_preset_serves_a_downloaded_file(saecli, tmp_path, deep_clip):
    path = write_saev(tmp_path / "sae.pt", saev_header(None), weights(d=32, s=64))
    args = ["--preset", "clip-24k", "--name", "mine", "--backbone", f"clip:{deep_clip}"]
    found = saecli.json("import", path, *args)
    assert (found["dictionary"], found["layer"]) == ("mine", 10)


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in SINGLE])
def test_a_repository_of_several_layers_gives_each_its_own(
    saecli, tmp_path, monkeypatch, deep_clip, name
):
    preset = PRESETS[name]
    folder = cache(tmp_path, preset.repo, monkeypatch)
    write_saev(folder / "layer_7/abc/sae.pt", saev_header(5), weights(d=32, s=64))
    place = f"hf://{preset.repo}/layer_7/abc/sae.pt"
    found = saecli.json("import", place, "--backbone", f"clip:{deep_clip}")
    assert (found["dictionary"], found["layer"]) == (f"{name}-7", 7)
    assert "standardised" in found["notes"][0]


def test_several_files_of_a_repository_are_named(tmp_path, monkeypatch):
    folder = cache(tmp_path, "osunlp/SAE_DINOv3_ViT-B-16_IN1K", monkeypatch)
    for run in ("layer_6/abc", "layer_7/def"):
        write_saev(folder / run / "sae.pt", saev_header(5), weights())
    with pytest.raises(SaecliError, match=r"layer_6/abc/sae.pt and layer_7/def/sae.pt"):
        hub.fetch(hub.parse("hf://osunlp/SAE_DINOv3_ViT-B-16_IN1K"))
    found = hub.fetch(hub.parse("hf://osunlp/SAE_DINOv3_ViT-B-16_IN1K/layer_7"))
    assert found == folder / "layer_7/def/sae.pt"


def test_without_a_network_a_repository_that_is_not_cached_is_one_sentence(tmp_path, monkeypatch):
    cache(tmp_path, "osunlp/other", monkeypatch)
    with pytest.raises(SaecliError, match="hub can't be reached"):
        hub.fetch(hub.parse("hf://osunlp/SAE_CLIP_24K_ViT-B-16_IN1K"))


@pytest.mark.slow
def test_a_dictionary_of_24576_latents_is_imported_in_little_memory(tmp_path):
    """768 → 24,576, the size of the published files: 151 MB."""
    from saecli.foreign.content import open_content
    from saecli.foreign.formats import read_source
    from saecli.foreign.mapping import convert, prove
    from saecli.foreign.said import Said
    from tests.dictionaries import IDENTITY

    state = weights(d=768, s=24_576)
    path = write_saev(tmp_path / "sae.pt", saev_header(None), state)
    size = path.stat().st_size
    del state
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = read_source(open_content(path), Said())
    proof = prove(source, convert(source, IDENTITY))
    assert proof.latents < 1e-5
    assert proof.reconstruction < 1e-5
    unit = 1 if sys.platform == "darwin" else 1024
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    assert grown < 9 * size
    shutil.rmtree(tmp_path)
