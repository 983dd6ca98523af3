"""Grad-CAM equals its two equations, worked out on the library's own forward pass."""

import numpy as np
import pytest
import torch

from saecli.experiments.gradcam import grad_cam
from tests.experiments.conftest import LAYER, N_IMAGES


def by_hand(lab, probe, a, where=None):
    """(N_IMAGES, P): a hook on the library's block, backward from the logit, NumPy for the rest."""
    model, held = lab.backbone.model, {}

    def keep(module, inputs, output):
        held["tokens"] = output.detach().requires_grad_(True)
        return held["tokens"]

    clip = hasattr(model, "visual")
    block = model.visual.transformer.resblocks[LAYER] if clip else model.encoder.layer[LAYER]
    n_prefix = 1 if clip else 3  # CLS, and this DINOv2's two registers
    handle = block.register_forward_hook(keep)
    try:
        if clip:
            read = torch.nn.functional.normalize(model.visual(lab.pixels), dim=-1)
        else:
            state = model(pixel_values=lab.pixels).last_hidden_state
            read = state[:, 0] if where is None else state[:, n_prefix:]
    finally:
        handle.remove()
    logits = (read @ probe.weight + probe.bias)[..., a]
    score = logits.sum() if where is None else logits[torch.from_numpy(where)].sum()
    score.backward()
    a_k = held["tokens"].detach()[:, n_prefix:].double().numpy()
    slope = held["tokens"].grad
    alpha = slope[:, n_prefix:].double().numpy().mean(axis=1)
    return np.maximum(np.einsum("bk,bpk->bp", alpha, a_k), 0)


def test_the_map_of_a_picture_is_the_rectified_weighted_sum_of_channels(lab, request):
    clip = "clip" in request.node.callspec.id
    head = lab.probe("zero_shot", "embedding") if clip else lab.probe()
    found = grad_cam(lab.bench(head), lab.backbone.record(lab.pixels, LAYER))
    expected = by_hand(lab, head, 1)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5 * expected.max())
    assert (found > 0).any()
    assert (found == 0).any()


def test_in_segmentation_the_logits_of_the_target_patches_are_summed(dinov2_lab):
    lab = dinov2_lab
    head = lab.probe("segmentation", "patches")
    where = np.random.default_rng(0).random((N_IMAGES, 16)) < 0.4
    found = grad_cam(lab.bench(head), lab.backbone.record(lab.pixels, LAYER), where)
    expected = by_hand(lab, head, 1, where)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5 * expected.max())


def test_a_picture_s_map_does_not_depend_on_its_neighbours(clip_lab):
    bench = clip_lab.bench()
    output = clip_lab.backbone.record(clip_lab.pixels, LAYER)
    alone = clip_lab.backbone.record(clip_lab.pixels[3:4], LAYER)
    np.testing.assert_allclose(
        grad_cam(bench, output)[3], grad_cam(bench, alone)[0], rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("against", [None, 2])
def test_the_map_is_of_the_class_alone(dinov2_lab, against):
    from saecli.experiments.margins import Contrast

    output = dinov2_lab.backbone.record(dinov2_lab.pixels, LAYER)
    plain = grad_cam(dinov2_lab.bench(contrast=Contrast(1)), output)
    found = grad_cam(dinov2_lab.bench(contrast=Contrast(1, against)), output)
    assert np.array_equal(found, plain)
