"""Formats laid out by hand, against each project's formula written out in NumPy."""

import gzip
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from saecli.errors import SaecliError
from saecli.foreign.content import open_content
from saecli.foreign.formats import read_source
from saecli.foreign.mapping import convert, prove
from saecli.foreign.said import Said
from tests.dictionaries import IDENTITY
from tests.foreign.files import D, S, in_numpy, keep_top, saev_header, weights, write_saev

X = 2 * torch.randn(11, D, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) + 0.5


def check(path, f, x_hat, said=None, *, in_units=True):
    """The file's dictionary computes n ⊙ f and x̂."""
    source = read_source(open_content(path), said or Said())
    dictionary = convert(source, IDENTITY)
    prove(source, dictionary)
    exact = dictionary.to(dtype=torch.float64)
    norms = np.linalg.norm(source.D.double().numpy(), axis=1) if in_units else 1.0
    assert (f != 0).sum() > len(f)
    np.testing.assert_allclose(exact.encode(X).numpy(), f * norms, atol=1e-5)
    np.testing.assert_allclose(exact.decode(exact.encode(X), X).numpy(), x_hat, atol=1e-5)
    return source


def saev_state(kind):
    state = weights()
    if kind == "BatchTopK":
        state["activation.threshold"] = torch.tensor(0.7)
    return state


def saev_formula(state, kind, subtracts):
    w = in_numpy(state)
    a = (X.numpy() - subtracts * w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    if kind == "TopK":
        f = keep_top(a, 4)
    elif kind == "BatchTopK":
        f = np.maximum(a, 0) * (a > w["activation.threshold"])
    else:
        f = np.maximum(a, 0)
    return f, f @ w["W_dec"] + w["b_dec"]


@pytest.mark.parametrize("kind", ["Relu", "TopK", "BatchTopK"])
@pytest.mark.parametrize("schema", [1, 2, 3, 4, 5])
def test_saev_of_every_schema(tmp_path, schema, kind):
    state = saev_state(kind)
    path = write_saev(tmp_path / "sae.pt", saev_header(schema, kind), state)
    said = Said(subtracts=False) if schema == 1 else Said()
    check(path, *saev_formula(state, kind, subtracts=0), said)
    check(path, *saev_formula(state, kind, subtracts=1), Said(subtracts=True))


def test_saev_of_before_the_schemas_subtracts_the_bias(tmp_path):
    state = saev_state("Relu")
    path = write_saev(tmp_path / "sae.pt", saev_header(None), state)
    check(path, *saev_formula(state, "Relu", subtracts=1))


def test_saev_of_schema_1_in_its_second_form(tmp_path):
    state = saev_state("TopK")
    header = saev_header(2, "TopK") | {"schema": 1, "cls": "SparseAutoencoderConfig"}
    path = write_saev(tmp_path / "sae.pt", header, state)
    check(path, *saev_formula(state, "TopK", subtracts=0), Said(subtracts=False))


def test_saev_of_schema_1_asks_whether_the_encoder_subtracts(tmp_path):
    path = write_saev(tmp_path / "sae.pt", saev_header(1), saev_state("Relu"))
    with pytest.raises(SaecliError, match="--encoder-subtracts-b-dec"):
        read_source(open_content(path), Said())
    later = write_saev(tmp_path / "later.pt", saev_header(6), saev_state("Relu"))
    with pytest.raises(SaecliError, match="schema 6"):
        read_source(open_content(later), Said())


def test_saevs_centred_activations(tmp_path):
    state, mean, scale = saev_state("Relu"), torch.linspace(-1, 1, D), 2.0181241035461426
    path = write_saev(tmp_path / "sae.pt", saev_header(None), state)
    w, z = in_numpy(state), (X.numpy() - mean.double().numpy()) / scale
    f = np.maximum((z - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    x_hat = scale * (f @ w["W_dec"] + w["b_dec"]) + mean.double().numpy()
    check(path, f, x_hat, Said(mean=mean, scale=scale))


class Settings:
    """Stands for a class of another project in a pickle."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def patchsae(**changes):
    return Settings(block_layer=-2, module_name="resid", class_token=False, d_in=D, **changes)


def test_patchsae_and_its_line(tmp_path):
    state = weights(5)
    torch.save({"cfg": patchsae(), "state_dict": state}, tmp_path / "sae.pt")
    w = in_numpy(state)
    f = np.maximum((X.numpy() - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    source = check(tmp_path / "sae.pt", f, f @ w["W_dec"] + w["b_dec"])
    assert (source.format, source.attachment.layer) == ("patchsae", -2)
    gated = state | {"r_mag": torch.zeros(S), "b_mag": torch.zeros(S)}
    torch.save({"cfg": patchsae(), "state_dict": gated}, tmp_path / "sae.pt")
    with pytest.raises(SaecliError, match="forward pass is empty"):
        read_source(open_content(tmp_path / "sae.pt"), Said())


def prisma(**changes):
    fields = {
        "hook_point_layer": 5,
        "layer_subtype": "hook_resid_post",
        "architecture": "standard",
        "activation_fn_str": "relu",
        "normalize_activations": "none",
    }
    return Settings(**fields | changes)


def test_vit_prisma_in_its_gzipped_and_in_its_first_form(tmp_path):
    state = weights(6)
    w = in_numpy(state)
    f = np.maximum((X.numpy() - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    with gzip.open(tmp_path / "sae.pkl.gz", "wb") as file:
        pickle.dump({"cfg": prisma(), "state_dict": state}, file)
    check(tmp_path / "sae.pkl.gz", f, f @ w["W_dec"] + w["b_dec"])
    first = {"config": prisma(), "autoencoder": {"state_dict": state}}
    torch.save(first, tmp_path / "first.pt")
    check(tmp_path / "first.pt", f, f @ w["W_dec"] + w["b_dec"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cls_token_only": True}, "CLS token"),
        ({"is_transcoder": True}, "transcoder"),
        ({"layer_subtype": "hook_mlp_out"}, "blocks.5.hook_mlp_out"),
        ({"hook_point_head_index": 3}, "attention head"),
        ({"normalize_activations": "batch"}, "'batch'"),
        ({"architecture": "jumprelu"}, "jumprelu"),
    ],
)
def test_what_vit_prisma_trains_elsewhere_is_refused(tmp_path, changes, told):
    torch.save({"cfg": prisma(**changes), "state_dict": weights()}, tmp_path / "sae.pt")
    with pytest.raises(SaecliError, match=told):
        read_source(open_content(tmp_path / "sae.pt"), Said())


def test_the_input_of_a_block_is_the_output_of_the_one_before(tmp_path):
    for layer, expected in ((5, 4), (0, None)):
        settings = prisma(hook_point_layer=layer, layer_subtype="hook_resid_pre")
        torch.save({"cfg": settings, "state_dict": weights()}, tmp_path / "sae.pt")
        if expected is None:
            with pytest.raises(SaecliError, match="whole blocks"):
                read_source(open_content(tmp_path / "sae.pt"), Said())
        else:
            source = read_source(open_content(tmp_path / "sae.pt"), Said())
            assert source.attachment.layer == expected


def write_llamascopium(folder, settings, **more):
    w = weights(7)
    names = {"W_E": w["W_enc"], "b_E": w["b_enc"], "W_D": w["W_dec"], "b_D": w["b_dec"], **more}
    save_file(names, folder / "sae_weights.safetensors")
    (folder / "config.json").write_text(json.dumps({"sae_type": "sae", **settings}))
    return in_numpy(w)


def test_llamascopium_selects_by_length_and_reports_without(tmp_path):
    hook = "blocks.5.hook_resid_post"
    norm = torch.tensor(4.0)
    w = write_llamascopium(
        tmp_path,
        {"act_fn": "topk", "top_k": 3, "hook_point_in": hook, "hook_point_out": hook},
        **{f"dataset_average_activation_norm.{hook}": norm},
    )
    q = 4.0 / np.sqrt(D)
    a = X.numpy() / q @ w["W_enc"] + w["b_enc"]
    n = np.linalg.norm(w["W_dec"], axis=1)
    f = np.maximum(keep_top(a, 3, a * n), 0)
    check(tmp_path, f, q * (f @ w["W_dec"] + w["b_dec"]))


def test_llamascopiums_thresholds(tmp_path):
    logs = torch.linspace(-1, 0.5, S)
    w = write_llamascopium(
        tmp_path,
        {"act_fn": "jumprelu", "sparsity_include_decoder_norm": True},
        **{"activation_function.log_jumprelu_threshold": logs},
    )
    a = X.numpy() @ w["W_enc"] + w["b_enc"]
    n = np.linalg.norm(w["W_dec"], axis=1)
    f = np.maximum(a, 0) * (a * n > np.exp(logs.double().numpy()))
    check(tmp_path, f, f @ w["W_dec"] + w["b_dec"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sae_type": "clt"}, "a clt"),
        ({"use_glu_encoder": True}, "gated linear"),
        ({"hook_point_in": "a", "hook_point_out": "b"}, "transcoder"),
        ({"act_fn": "batchtopk"}, "batchtopk"),
    ],
)
def test_other_coders_of_llamascopium_are_refused(tmp_path, settings, told):
    write_llamascopium(tmp_path, settings)
    with pytest.raises(SaecliError, match=told):
        read_source(open_content(tmp_path), Said())


def test_what_a_file_states_itself_is_not_said_again(tmp_path):
    path = write_saev(tmp_path / "sae.pt", saev_header(2), saev_state("Relu"))
    with pytest.raises(SaecliError, match="--k says what saev files state themselves"):
        read_source(open_content(path), Said(k=4))


def test_latents_that_write_nothing_are_kept_harmless(tmp_path):
    state = weights()
    state["W_dec"][3] = 0
    path = write_saev(tmp_path / "sae.pt", saev_header(2), state)
    dictionary = convert(read_source(open_content(path), Said()), IDENTITY)
    assert float(dictionary.encode(X.float())[:, 3].max()) < 1e-6
    assert float(dictionary.W_dec[3].norm()) == 1
