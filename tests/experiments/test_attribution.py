"""Attribution is the margin's slope along each latent's suppression."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.experiments.activity import measure
from saecli.experiments.attribution import attribute, twin_loss
from saecli.experiments.margins import Contrast
from saecli.experiments.runner import Bench
from tests.experiments.conftest import LAYER, N_IMAGES


@pytest.fixture
def exact(lab):
    """The same laboratory in float64, where finite differences are sharp."""
    model = copy.deepcopy(lab.backbone.model).double()
    backbone = dataclasses.replace(lab.backbone, model=model, dtype=torch.float64)
    dictionary = lab.dictionary.to(dtype=torch.float64)
    return dataclasses.replace(lab, backbone=backbone, dictionary=dictionary)


@pytest.mark.parametrize("task", ["classification", "segmentation", "masked"])
def test_attribution_equals_finite_differences(exact, task):
    head = exact.probe(
        *(("classification", "cls") if task == "classification" else ("segmentation", "patches"))
    ).to(dtype=torch.float64)
    bench = exact.bench(head, Contrast(1, 2))
    output = exact.backbone.record(exact.pixels.double(), LAYER)
    d, x = exact.dictionary, output.patches
    f = d.encode(x)
    target = np.random.default_rng(0).random((N_IMAGES, 16)) < 0.3
    target[4] = False
    with torch.no_grad():
        before = bench.logits(output)
    if task == "segmentation":
        where = before.argmax(-1) == 1
    elif task == "masked":
        where = torch.from_numpy(target)
    else:
        where = torch.ones(N_IMAGES, 1, dtype=torch.bool)
    held = where.any(dim=1)

    def mean_margin(patches):
        with torch.no_grad():
            margin = bench.contrast.margin(bench.logits(output.with_patches(patches)))
        return float(((margin * where).sum(1)[held] / where.sum(1)[held]).mean())

    masks = [target[:6], target[6:]] if task == "masked" else [None, None]
    parts = [dataclasses.replace(output, tokens=t) for t in (output.tokens[:6], output.tokens[6:])]
    found = attribute(bench, list(zip(parts, masks, strict=True)))
    assert found.n_images == int(held.sum())
    step = 1e-5
    for latent in range(0, d.n_latents, 5):
        along = -d.scale * f[..., latent, None] * d.W_dec[latent]
        slope = (mean_margin(x + step * along) - mean_margin(x - step * along)) / (2 * step)
        assert found.values[latent] == pytest.approx(slope, abs=1e-7, rel=1e-5)
    assert list(found.ranked()) == sorted(range(d.n_latents), key=lambda i: found.values[i])


def test_no_picture_of_the_class_is_one_sentence(dinov2_lab):
    bench = dinov2_lab.bench(dinov2_lab.probe("segmentation", "patches"))
    output = dinov2_lab.backbone.record(dinov2_lab.pixels, LAYER)
    with pytest.raises(SaecliError, match="no picture shows the class"):
        attribute(bench, [(output, np.zeros((N_IMAGES, 16), bool))])


def test_twin_loss_is_the_share_of_activation_that_the_twins_lose(dinov2_lab):
    d = dinov2_lab.dictionary
    x = dinov2_lab.backbone.record(dinov2_lab.pixels, LAYER).patches
    twin = x - 0.5 * x.flip(0)
    found = twin_loss(measure(d, [x]), measure(d, [twin]))
    before, after = (d.encode(v).double().sum(dim=(0, 1)).numpy() for v in (x, twin))
    silent = before == 0
    np.testing.assert_allclose(found[~silent], 1 - after[~silent] / before[~silent], rtol=1e-4)
    assert np.isnan(found[silent]).all()
    assert np.abs(twin_loss(measure(d, [x]), measure(d, [x]))[~silent]).max() == 0


def test_a_bench_of_strangers_is_refused(clip_lab, dinov2_lab):
    bench = Bench(clip_lab.backbone, dinov2_lab.dictionary, clip_lab.probe(), Contrast(1))
    with pytest.raises(SaecliError):
        attribute(bench, [])


@pytest.mark.parametrize("rule", ["layer_norm:1e-05", "norm_rescale"])
def test_attribution_through_a_normalisation_of_each_patch_equals_finite_differences(exact, rule):
    plain = dataclasses.replace(
        exact.dictionary,
        normalisation=rule,
        mean=torch.zeros_like(exact.dictionary.mean),
        scale=torch.ones_like(exact.dictionary.scale),
    )
    lab = dataclasses.replace(exact, dictionary=plain)
    bench = lab.bench(lab.probe("classification", "cls").to(dtype=torch.float64), Contrast(1, 2))
    output = lab.backbone.record(lab.pixels.double(), LAYER)
    x, f = output.patches, plain.encode(output.patches)
    units = (
        x.std(-1, keepdim=True)
        if rule != "norm_rescale"
        else (x.square().mean(-1, keepdim=True).sqrt())
    )

    def mean_margin(patches):
        with torch.no_grad():
            return float(bench.contrast.margin(bench.logits(output.with_patches(patches))).mean())

    found = attribute(bench, [(output, None)])
    step = 1e-5
    for latent in range(0, plain.n_latents, 7):
        along = -units * f[..., latent, None] * plain.W_dec[latent]
        slope = (mean_margin(x + step * along) - mean_margin(x - step * along)) / (2 * step)
        assert found.values[latent] == pytest.approx(slope, rel=1e-4, abs=1e-8)
