"""Names, layers, devices, precisions, digests and untrained twins."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from saecli.backbones import load, load_untrained, resolve_device, resolve_layer
from saecli.errors import SaecliError
from tests.models import dinov2_preprocessor, write_tiny_clip, write_tiny_dinov2


@pytest.fixture(scope="module", params=["clip", "dinov2", "registers"])
def name(request) -> str:
    folder = request.getfixturevalue(f"tiny_{request.param}_folder")
    return f"{'clip' if request.param == 'clip' else 'dinov2'}:{folder}"


def test_a_backbone_tells_what_it_is(name):
    backbone = load(name, device="cpu")
    family, source = name.split(":")
    assert (backbone.name, backbone.family, backbone.source) == (name, family, source)
    assert (backbone.grid.rows, backbone.grid.columns) == (4, 4)
    assert (backbone.d_model, backbone.n_blocks) == (32, 3)
    assert backbone.device == torch.device("cpu")
    assert backbone.dtype == torch.float32
    assert not backbone.model.training
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())


def test_short_names_stand_for_full_ones(name):
    backbone = load("mine", device="cpu", built_in={"mine": name})
    assert backbone.name == "mine"
    assert backbone.source == name.split(":")[1]


def test_a_relative_folder_is_remembered_in_full(name, tmp_path, monkeypatch):
    family, source = name.split(":")
    (tmp_path / "here").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    assert load(f"{family}:here", device="cpu").source == source


@pytest.mark.parametrize(
    ("layer", "n_blocks", "expected"), [(0, 12, 0), (11, 12, 11), (-1, 12, 11), (-2, 12, 10)]
)
def test_layers_count_from_the_end_too(layer, n_blocks, expected):
    assert resolve_layer(layer, n_blocks) == expected


@pytest.mark.parametrize("layer", [12, -13])
def test_a_layer_beyond_the_blocks_is_an_error(layer):
    with pytest.raises(SaecliError, match=f"no layer {layer} in a backbone of 12 blocks"):
        resolve_layer(layer, 12)


def test_auto_takes_the_best_device_there_is():
    best = (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
    assert resolve_device("auto") == best
    assert resolve_device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("device", "words"), [("cuda:99", "isn't available"), ("gpu", "is no device")]
)
def test_a_device_that_is_not_there_is_an_error(device, words):
    with pytest.raises(SaecliError, match=f"{words}; give auto or .*cpu"):
        resolve_device(device)


def test_an_unknown_precision_is_an_error(name):
    with pytest.raises(SaecliError, match="'float23' is no precision"):
        load(name, device="cpu", dtype="float23")


def test_digests_are_the_same_in_another_process_and_precision(
    tiny_clip_folder, tiny_registers_folder
):
    names = [f"clip:{tiny_clip_folder}", f"dinov2:{tiny_registers_folder}"]
    program = (
        "from saecli.backbones import load\n"
        f"for name in {names}: print(load(name, dtype='bf16', device='cpu').digest)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == [load(name, device="cpu").digest for name in names], done.stderr


def test_digests_differ_where_functions_differ(tmp_path):
    variants = {
        "plain": {},
        "weights": {"seed": 1},
        "activation": {"quick_gelu": True},
        "transform": {"preprocess": {"mean": [0.5, 0.5, 0.5]}},
        "heads": {"head_width": 16},
        "pooling": {"pool_type": "avg"},
    }
    clips = {key: write_tiny_clip(tmp_path / key, **kw) for key, kw in variants.items()}
    digests = {load(f"clip:{folder}", device="cpu").digest for folder in clips.values()}
    dinos = {
        "plain": {},
        "weights": {"seed": 1},
        "activation": {"hidden_act": "relu"},
        "transform": {"preprocessor": dinov2_preprocessor(40)},
        "heads": {"num_attention_heads": 2},
        "epsilon": {"layer_norm_eps": 1e-3},
        "registers": {"registers": 1},
    }
    for key, kw in dinos.items():
        folder = write_tiny_dinov2(tmp_path / f"dino {key}", **kw)
        digests.add(load(f"dinov2:{folder}", device="cpu").digest)
    assert len(digests) == len(variants) + len(dinos)


def test_the_digest_ignores_what_does_not_change_activations(tmp_path):
    plain = write_tiny_clip(tmp_path / "plain")
    same = write_tiny_clip(tmp_path / "same", patch_dropout=0.5, pool_type="tok", mlp_ratio=4.0)
    weights = load_file(same / "open_clip_model.safetensors")
    weights["token_embedding.weight"] += 1  # the text tower
    save_file(weights, same / "open_clip_model.safetensors")
    assert load(f"clip:{plain}", device="cpu").digest == load(f"clip:{same}", device="cpu").digest


def test_a_half_precision_file_gives_the_digest_of_the_same_numbers(tmp_path):
    half = write_tiny_dinov2(tmp_path / "half", dtype=torch.float16)
    backbone = load(f"dinov2:{half}", device="cpu")
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}
    single = write_tiny_dinov2(tmp_path / "single")
    weights = load_file(half / "model.safetensors")
    save_file(
        {key: value.float() for key, value in weights.items()},
        single / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert load(f"dinov2:{single}", device="cpu").digest == backbone.digest


def test_the_untrained_twin_shares_everything_but_weights(name):
    trained = load(name, device="cpu")
    twin, again, other = (load_untrained(name, seed, device="cpu") for seed in (7, 7, 8))
    assert twin.image_transform == trained.image_transform
    assert (twin.grid, twin.d_model, twin.n_blocks) == (
        trained.grid,
        trained.d_model,
        trained.n_blocks,
    )
    assert twin.digest == again.digest
    assert len({trained.digest, twin.digest, other.digest}) == 3
    pixels = torch.randn(2, 3, 32, 32)
    assert torch.isfinite(twin.record(pixels, 2).tokens).all()
    assert {parameter.dtype for parameter in twin.model.parameters()} == {torch.float32}


def test_the_untrained_twin_has_the_librarys_initialisation(tiny_dinov2_folder):
    import transformers

    torch.manual_seed(5)
    config = transformers.Dinov2Config.from_pretrained(tiny_dinov2_folder)
    expected = transformers.Dinov2Model(config).state_dict()
    got = load_untrained(f"dinov2:{tiny_dinov2_folder}", 5, device="cpu").model.state_dict()
    assert all(torch.equal(got[key], expected[key]) for key in expected)


def test_making_an_untrained_twin_leaves_the_callers_chance_alone(name):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_untrained(name, 9, device="cpu")
    assert torch.equal(torch.rand(3), expected)
