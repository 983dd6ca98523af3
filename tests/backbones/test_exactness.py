"""Recording a layer and resuming from it is the library's own forward pass, at every layer."""

from pathlib import Path

import pytest
import torch

from saecli.backbones import Backbone, LayerOutput, load
from tests.models import dinov2_preprocessor, write_tiny_clip, write_tiny_dinov2

N_LAYERS = 3

CLIPS = {
    "class token": {},
    "mean of patches": {"pool_type": "avg"},
    "norm after pooling": {"final_ln_after_pool": True},
    "mean, norm after": {"pool_type": "avg", "final_ln_after_pool": True},
    "quick gelu": {"quick_gelu": True},
    "layer scale, no first norm": {"ls_init_value": 0.3, "no_ln_pre": True},
    "custom blocks": {"qk_norm": True, "scale_attn": True, "block_type": "custom"},
    "oblong": {"image": [32, 48]},
    "patch dropout in training": {"patch_dropout": 0.5},
}
DINOV2S = {
    "plain": {},
    "registers": {"registers": 4},
    "gated": {"use_swiglu_ffn": True},
    "gated, registers": {"use_swiglu_ffn": True, "registers": 2},
    "dropout in training": {"hidden_dropout_prob": 0.5, "drop_path_rate": 0.3},
}


def open_clip_model(folder: Path, variant: str) -> Backbone:
    return load(f"clip:{write_tiny_clip(folder, layers=N_LAYERS, **CLIPS[variant])}", device="cpu")


def open_dinov2(folder: Path, variant: str) -> Backbone:
    write_tiny_dinov2(folder, layers=N_LAYERS, **DINOV2S[variant])
    return load(f"dinov2:{folder}", device="cpu")


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, tmp_path_factory) -> Backbone:
    return open_clip_model(tmp_path_factory.mktemp("clip"), request.param)


@pytest.fixture(scope="module", params=DINOV2S)
def dinov2(request, tmp_path_factory) -> Backbone:
    return open_dinov2(tmp_path_factory.mktemp("dinov2"), request.param)


@pytest.fixture(scope="module", params=["class token", "mean of patches", "plain", "registers"])
def backbone(request, tmp_path_factory) -> Backbone:
    open_model = open_clip_model if request.param in CLIPS else open_dinov2
    return open_model(tmp_path_factory.mktemp("model"), request.param)


def noise(backbone: Backbone, n: int = 5) -> torch.Tensor:
    height, width = backbone.geometry.crop
    return torch.randn(n, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_clip_resumes_to_open_clips_embedding(clip, layer):
    pixels = noise(clip)
    with torch.no_grad():
        expected = clip.model.encode_image(pixels)
        final = clip.resume(clip.record(pixels, layer), layer)
    assert torch.equal(final.embedding, expected)


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_dinov2_resumes_to_transformers_hidden_state(dinov2, layer):
    pixels = noise(dinov2)
    with torch.no_grad():
        expected = dinov2.model(pixel_values=pixels)
        output = dinov2.record(pixels, layer)
        final = dinov2.resume(output, layer)
    assert torch.equal(final.cls, expected.pooler_output)
    assert torch.equal(final.patches, expected.last_hidden_state[:, output.n_prefix :])
    assert final.embedding is None


def test_a_recorded_layer_is_the_librarys_hidden_state(dinov2):
    pixels = noise(dinov2)
    with torch.no_grad():
        states = dinov2.model(pixel_values=pixels, output_hidden_states=True).hidden_states
    for layer in range(N_LAYERS):
        assert torch.equal(dinov2.record(pixels, layer).tokens, states[layer + 1])


def test_a_recorded_layer_is_the_blocks_output(clip):
    seen = []
    blocks = clip.model.visual.transformer.resblocks
    hooks = [block.register_forward_hook(lambda *call: seen.append(call[2])) for block in blocks]
    pixels = noise(clip)
    with torch.no_grad():
        clip.model.encode_image(pixels)
    for hook in hooks:
        hook.remove()
    for layer in range(N_LAYERS):
        assert torch.equal(clip.record(pixels, layer).tokens, seen[layer])


def test_clips_tokens_are_those_after_its_last_norm(tmp_path):
    # open_clip's own token output: the reference for the patches.
    backbone = load(f"clip:{write_tiny_clip(tmp_path, output_tokens=True)}", device="cpu")
    pixels = noise(backbone)
    with torch.no_grad():
        pooled, tokens = backbone.model.visual(pixels)
        final = backbone.resume(backbone.record(pixels, 1), 1)
    assert torch.equal(final.patches, tokens)
    assert torch.equal(final.cls @ backbone.model.visual.proj, pooled)


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_without_patches_the_class_token_is_the_same(backbone, layer):
    """The last block may compute it alone, with gradients too; the last bits are free."""
    output = backbone.record(noise(backbone), layer)

    def embedded(patches):
        moved = output.patches.clone().requires_grad_(True)
        final = backbone.resume(output.with_patches(moved), layer, patches=patches)
        wanted = final.cls if final.embedding is None else final.embedding
        gradient = torch.autograd.grad((wanted**2).sum(), moved, allow_unused=True)[0]
        return final.cls, wanted, torch.zeros_like(moved) if gradient is None else gradient

    for alone, whole in zip(embedded(False), embedded(True), strict=True):
        torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)


def test_only_the_class_token_runs_through_the_last_mlp(tmp_path):
    backbone = open_clip_model(tmp_path, "class token")
    rows = []
    last = backbone.model.visual.transformer.resblocks[-1]
    hook = last.mlp.register_forward_hook(lambda _, given, __: rows.append(given[0].shape[1]))
    output = backbone.record(noise(backbone), 0)
    final = backbone.resume(output, 0, patches=False)
    hook.remove()
    assert rows == [1]
    assert final.patches.shape == (5, 0, backbone.d_model)


def test_only_the_blocks_needed_run(backbone):
    blocks = (
        backbone.model.visual.transformer.resblocks
        if backbone.family == "clip"
        else backbone.model.encoder.layer
    )
    ran = []
    hooks = [
        block.register_forward_hook(lambda *call, index=i: ran.append(index))
        for i, block in enumerate(blocks)
    ]
    output = backbone.record(noise(backbone), 1)
    recorded, ran[:] = list(ran), []
    backbone.resume(output, 1)
    for hook in hooks:
        hook.remove()
    assert recorded == [0, 1]
    assert ran == [2]


def test_several_layers_recorded_at_once_are_bit_equal_to_each_recorded_alone(backbone):
    pixels = noise(backbone)
    together = backbone.record_layers(pixels, [2, 0])
    for layer, output in zip([2, 0], together, strict=True):
        alone = backbone.record(pixels, layer)
        assert torch.equal(output.tokens, alone.tokens)
        assert output.n_prefix == alone.n_prefix


def test_gradients_reach_the_recorded_patches(backbone):
    output = backbone.record(noise(backbone, 2), 0)
    assert not output.tokens.requires_grad
    patches = output.patches.clone().requires_grad_()

    def score(patches: torch.Tensor) -> torch.Tensor:
        final = backbone.resume(output.with_patches(patches), 0)
        value = final.cls.sum(dim=1).sum() + (final.patches**2).mean()
        return value if final.embedding is None else value + final.embedding.square().sum()

    value = score(patches)
    value.backward()
    step = 1e-2 * torch.randn(patches.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        change = score(patches + step) - score(patches - step)
        assert score(patches) == pytest.approx(value.item(), rel=1e-5)
    assert (2 * patches.grad * step).sum().item() == pytest.approx(
        change.item(), rel=2e-2, abs=1e-3
    )
    parameters = backbone.model.parameters()
    assert all(parameter.grad is None for parameter in parameters)


def test_with_patches_changes_nothing_else():
    tokens = torch.randn(2, 7, 4)
    output = LayerOutput(tokens, n_prefix=3)
    assert torch.equal(output.with_patches(output.patches).tokens, tokens)
    other = output.with_patches(torch.zeros(2, 4, 4))
    assert torch.equal(other.prefix, tokens[:, :3])
    assert (other.patches == 0).all()
    assert other.n_prefix == 3


def test_prefix_tokens_are_not_patches(backbone):
    output = backbone.record(noise(backbone), 0)
    assert output.patches.shape == (5, backbone.grid.n_patches, backbone.d_model)
    assert output.prefix.shape == (5, output.n_prefix, backbone.d_model)
    assert torch.equal(torch.cat((output.prefix, output.patches), dim=1), output.tokens)


@pytest.mark.parametrize("dtype", ["bf16", "float16"])
@pytest.mark.parametrize("registers", [None, 2], ids=["clip", "dinov2"])
def test_half_precision_stays_near_single(tmp_path, device, dtype, registers):
    if registers is None:
        name = f"clip:{write_tiny_clip(tmp_path)}"
    else:
        name = f"dinov2:{write_tiny_dinov2(tmp_path, registers=registers)}"
    single, half = load(name, device="cpu"), load(name, device=device, dtype=dtype)
    pixels = noise(single)
    expected, got = single.record(pixels, 1).tokens, half.record(pixels, 1).tokens
    assert got.dtype == half.dtype != torch.float32
    assert got.device.type == device
    error = (got.float().cpu() - expected).norm() / expected.norm()
    assert error < (2e-2 if dtype == "bf16" else 4e-3)
    with torch.no_grad():
        final = half.resume(LayerOutput(expected.half(), single.record(pixels, 1).n_prefix), 1)
    assert final.cls.dtype == half.dtype
    assert half.digest == single.digest


def test_devices_agree(tmp_path, device):
    name = f"dinov2:{write_tiny_dinov2(tmp_path)}"
    here, there = load(name, device="cpu"), load(name, device=device)
    pixels = noise(here)
    torch.testing.assert_close(
        there.record(pixels, 2).tokens.cpu(), here.record(pixels, 2).tokens, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("registers", [0, 4])
def test_position_embeddings_are_fitted_to_the_picture(tmp_path, registers):
    # Embeddings for 32 pixels, pictures of 48: the library interpolates from 4 × 4 to 6 × 6.
    write_tiny_dinov2(
        tmp_path, image=32, registers=registers, preprocessor=dinov2_preprocessor(52, 48)
    )
    backbone = load(f"dinov2:{tmp_path}", device="cpu")
    assert (backbone.grid.rows, backbone.grid.columns) == (6, 6)
    pixels = noise(backbone)
    assert pixels.shape[-1] == 48
    with torch.no_grad():
        expected = backbone.model(pixel_values=pixels).pooler_output
        assert torch.equal(backbone.resume(backbone.record(pixels, 1), 1).cls, expected)
