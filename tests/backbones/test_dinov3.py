"""DINOv3: recording and resuming are transformers' own forward pass; its preprocessing is read."""

import json

import pytest
import torch

from saecli.backbones import load, load_untrained
from saecli.backbones.silence import quiet
from saecli.errors import SaecliError

N_LAYERS = 3
PREPROCESSOR = {
    "image_processor_type": "DINOv3ViTImageProcessorFast",
    "do_resize": True,
    "size": {"height": 32, "width": 48},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def write_tiny_dinov3(folder, *, seed=0, preprocessor=None, **config):
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
        "num_register_tokens": 4,
        **config,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**fields))
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    with quiet():
        model.save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


VARIANTS = {
    "square": {},
    "oblong": {"preprocessor": PREPROCESSOR},
    "no registers": {"num_register_tokens": 0},
    "gated": {"use_gated_mlp": True},
}


@pytest.fixture(scope="module", params=VARIANTS)
def backbone(request, tmp_path_factory):
    folder = write_tiny_dinov3(tmp_path_factory.mktemp("dinov3"), **VARIANTS[request.param])
    return load(f"dinov3:{folder}", device="cpu")


def test_every_layer_is_the_librarys_and_resumes_to_its_last_state(backbone):
    height, width = backbone.geometry.crop
    pixels = torch.randn(3, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = backbone.model(pixels, output_hidden_states=True)
    recorded = backbone.record_layers(pixels, list(range(N_LAYERS)))
    for layer, output in enumerate(recorded):
        assert torch.equal(output.tokens, whole.hidden_states[layer + 1])
        assert output.patches.shape[1] == backbone.grid.n_patches
        with torch.no_grad():
            final = backbone.resume(output, layer)
        last = whole.last_hidden_state
        assert torch.equal(final.cls, last[:, 0])
        assert torch.equal(final.patches, last[:, backbone.n_prefix :])


def test_the_preprocessor_squashes_to_its_size_without_a_crop(tmp_path):
    folder = write_tiny_dinov3(tmp_path, preprocessor=PREPROCESSOR)
    backbone = load(f"dinov3:{folder}", device="cpu")
    assert backbone.geometry.crop == (32, 48)
    assert (backbone.grid.rows, backbone.grid.columns) == (4, 6)
    assert backbone.family == "dinov3"


def test_digest_follows_weights_and_configuration(tmp_path):
    digests = [
        load(f"dinov3:{write_tiny_dinov3(tmp_path / str(n), **settings)}", device="cpu").digest
        for n, settings in enumerate(({}, {}, {"seed": 1}, {"layer_norm_eps": 1e-3}))
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_half_precision_keeps_the_angles(tmp_path):
    folder = write_tiny_dinov3(tmp_path)
    exact, half = (load(f"dinov3:{folder}", device="cpu", dtype=d) for d in ("fp32", "bf16"))
    assert half.model.rope_embeddings.inv_freq.dtype == torch.float32
    assert half.digest == exact.digest
    angles = exact._positions(32, 32)[0]
    torch.testing.assert_close(half._positions(32, 32)[0].float(), angles, atol=5e-3, rtol=0)


def test_an_untrained_twin_has_other_weights(tmp_path):
    name = f"dinov3:{write_tiny_dinov3(tmp_path)}"
    first, again = (load_untrained(name, 3, device="cpu") for _ in range(2))
    assert first.digest == again.digest
    assert first.digest != load(name, device="cpu").digest


def test_other_sizes_are_not_resumed_and_texts_not_read(tmp_path):
    backbone = load(f"dinov3:{write_tiny_dinov3(tmp_path)}", device="cpu")
    larger = backbone.record(torch.zeros(1, 3, 48, 48), 0)
    assert larger.patches.shape[1] == 36
    with pytest.raises(SaecliError, match="36 patches"):
        backbone.resume(larger, 0)
    with pytest.raises(SaecliError, match="reads no text"):
        backbone.encode_text(["a"])
