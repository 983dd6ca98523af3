"""What is exported computes the same where it is read again, by saecli and by the library."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.foreign.content import open_content
from saecli.foreign.exporting import files_of
from saecli.foreign.formats import read_source
from saecli.foreign.mapping import convert
from saecli.foreign.said import Said
from tests.dictionaries import random_dictionary

CHECKOUT = Path(__file__).resolve().parents[2]
SAELENS = Path.home() / ".cache" / "saecli-peers" / "saelens" / "bin" / "python"

KINDS = {
    "relu": {"activation": "relu"},
    "topk": {"activation": "topk", "k": 4},
    "jumprelu": {"activation": "jumprelu"},
    "matryoshka": {"activation": "topk", "k": 4, "prefixes": (6, 12, 24)},
}
X = 3 * torch.randn(40, 8, generator=torch.Generator().manual_seed(8)) + 1


def export(dictionary, folder, target):
    folder.mkdir()
    for name, data in files_of(dictionary, "clip", target).items():
        (folder / name).write_bytes(data)
    return folder


def again(folder, dictionary):
    return convert(read_source(open_content(folder), Said()), dictionary.identity)


def formula(dictionary, x):
    """f in the backbone's units, and x̂, by saecli's own definition written out."""
    w = {n: v.double().numpy() for n, v in vars(dictionary).items() if isinstance(v, torch.Tensor)}
    a = (x.double().numpy() - w["mean"]) / w["scale"] @ w["W_enc"] + w["b_enc"]
    f = np.maximum(a, 0)
    if dictionary.activation == "jumprelu":
        f = f * (a > w["threshold"])
    if dictionary.activation == "topk":
        order = np.argsort(-a, axis=1, kind="stable")[:, : dictionary.k]
        kept = np.zeros_like(a)
        np.put_along_axis(kept, order, 1, axis=1)
        f = f * kept
    return w["scale"] * f, w["scale"] * (f @ w["W_dec"] + w["b_dec"]) + w["mean"]


@pytest.mark.parametrize("target", ["saelens", "dictionary-learning"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_the_same_after_a_round_trip_and_its_files_come_out_identical(
    tmp_path, kind, target
):
    dictionary = random_dictionary(**KINDS[kind])
    first = export(dictionary, tmp_path / "first", target)
    back = again(first, dictionary)
    f, x_hat = formula(dictionary, X)
    np.testing.assert_allclose(back.encode(X).numpy(), f, atol=2e-5)
    np.testing.assert_allclose(back.decode(back.encode(X)).numpy(), x_hat, atol=2e-5)
    if target == "saelens":
        assert back.prefixes == dictionary.prefixes
    second = export(back, tmp_path / "second", target)
    third = export(again(second, dictionary), tmp_path / "third", target)
    for name in sorted(one.name for one in second.iterdir()):
        if name.startswith(("sae_weights", "cfg")):
            assert (second / name).read_bytes() == (third / name).read_bytes()
    torch.testing.assert_close(
        again(third, dictionary).encode(X), back.encode(X), rtol=0, atol=1e-6
    )


REFUSED = {
    "another scale": {"activation": "topk", "k": 3, "select_scale": torch.linspace(0.1, 4, 24)},
    "negative values": {"activation": "topk", "k": 3, "topk_signed": True},
    "equal their threshold": {"activation": "jumprelu", "threshold_inclusive": True},
    "each patch by itself": {"activation": "relu", "normalisation": "layer_norm:0.001"},
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_the_other_cannot_state_is_refused(told):
    for target in ("saelens", "dictionary-learning"):
        with pytest.raises(SaecliError, match=told):
            files_of(random_dictionary(**REFUSED[told]), "clip", target)


@pytest.mark.parametrize("rule", ["layer_norm:1e-05", "norm_rescale"])
def test_saelens_states_the_rules_of_each_patch_that_it_has(tmp_path, rule):
    dictionary = random_dictionary(activation="relu", normalisation=rule)
    folder = export(dictionary, tmp_path / "out", "saelens")
    assert read_source(open_content(folder), Said()).normalisation == rule
    with pytest.raises(SaecliError, match="each patch by itself"):
        files_of(dictionary, "clip", "dictionary-learning")


@pytest.mark.slow
def test_saelens_itself_loads_it_with_the_same_latents(tmp_path):
    if not SAELENS.exists():
        pytest.skip("SAELens is not installed in its environment (tests.benchmarks.peers)")
    for kind, settings in KINDS.items():
        folder = export(random_dictionary(**settings), tmp_path / kind, "saelens")
        np.save(folder / "patches.npy", X.numpy())
    subprocess.run(
        [SAELENS, "-m", "tests.foreign.writers.write_saelens", "--check", tmp_path],
        check=True,
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
    )
    for kind, settings in KINDS.items():
        answered = np.load(tmp_path / kind / "answered.npz")
        f, x_hat = formula(random_dictionary(**settings), X)
        np.testing.assert_allclose(answered["f"], f, atol=2e-5)
        np.testing.assert_allclose(answered["x_hat"], x_hat, atol=2e-5)
