"""A latent's influence is what a push along it does to random margins; controls match it."""

import numpy as np
import pytest
import torch

from saecli.backbones.protocol import LayerOutput
from saecli.experiments.controls import ControlSettings, match_latents
from saecli.experiments.influence import influence
from tests.experiments.conftest import LAYER, N_CLASSES, N_LATENTS
from tests.experiments.test_controls import activity, signature


def batches(lab, size=4):
    output = lab.backbone.record(lab.pixels, LAYER)
    return [LayerOutput(tokens, output.n_prefix) for tokens in torch.split(output.tokens, size)]


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_it_is_the_slope_of_a_margin_along_the_latent(dinov2_lab, task):
    """Against differences of the whole rest of the network, one latent at a time."""
    lab, target = dinov2_lab, dinov2_lab.target()
    probe = lab.probe(task, "cls" if task == "classification" else "patches")
    bench = lab.bench(probe)
    found = influence(bench, target, batches(lab), seed=5)
    assert found.shape == (N_LATENTS, N_CLASSES)
    weights = np.random.default_rng(5).normal(size=(N_CLASSES, N_CLASSES))
    margins = torch.from_numpy(weights - weights.mean(axis=1, keepdims=True))
    output = lab.backbone.record(lab.pixels, LAYER)
    f = lab.dictionary.encode(output.patches)[..., list(target.edit.latents)]
    edit = lab.dictionary.scale * (-f @ lab.dictionary.W_dec[list(target.edit.latents)])
    norm = edit.norm(dim=-1, keepdim=True)
    step = 0.02
    for latent in (0, 8, 30):
        sides = []
        for sign in (-1, 1):
            moved = output.patches - sign * step * norm * lab.dictionary.W_dec[latent]
            with torch.no_grad():
                logits = bench.logits(output.with_patches(moved)).double().mean(dim=1)
            sides.append((logits @ margins.T).sum(dim=0))
        slope = (sides[1] - sides[0]) / (2 * step)
        largest = np.abs(found).max()
        np.testing.assert_allclose(found[latent], slope.numpy(), rtol=0.05, atol=0.02 * largest)


def test_only_the_first_pictures_count(lab):
    bench, target = lab.bench(), lab.target()
    settings = ControlSettings(influence_images=6)
    few = influence(bench, target, batches(lab), seed=0, settings=settings)
    output = lab.backbone.record(lab.pixels[:6], LAYER)
    np.testing.assert_allclose(
        influence(bench, target, [output], seed=0), few, rtol=1e-3, atol=1e-4
    )
    assert not np.allclose(influence(bench, target, [output], seed=1), few, rtol=1e-3)


def test_single_controls_are_as_influential_as_the_target():
    stats, rows = activity(), signature()
    pushes = np.random.default_rng(3).normal(size=(200, 24)) * np.exp(
        2 * np.random.default_rng(4).normal(size=(200, 1))
    )
    potency = np.log(np.sqrt((pushes**2).mean(axis=1)))
    strong = int(np.argsort(potency[:190])[-5])
    settings = ControlSettings(n=20)
    sets = match_latents(stats, rows, (strong,), seed=0, settings=settings, influence=pushes)
    plain = match_latents(stats, rows, (strong,), seed=0, settings=settings)
    gaps = [np.abs(potency[s[:, 0]] - potency[strong]).mean() for s in (sets, plain)]
    assert gaps[0] < 0.6 * gaps[1]


def test_the_latents_of_a_set_pull_together_as_chosen_ones_do():
    stats, rows = activity(), signature()
    pushes = np.random.default_rng(3).normal(size=(200, 24))
    target = (5, 6, 40, 41, 60, 90, 100, 120, 130, 150)
    sets = match_latents(stats, rows, target, seed=0, influence=pushes)
    apart = match_latents(stats, rows, target, seed=0)
    assert len({tuple(sorted(row)) for row in sets}) == 99
    pulls = [np.linalg.norm(pushes[s].sum(axis=1), axis=1).mean() for s in (sets, apart)]
    assert pulls[0] > 1.2 * pulls[1]


def test_two_classes_still_give_many_sets():
    stats, rows = activity(), signature()
    contrast = np.random.default_rng(3).normal(size=(200, 1)) * np.array([[1.0, -1.0]])
    sets = match_latents(stats, rows, (5, 6), seed=0, influence=contrast)
    assert len({tuple(sorted(row)) for row in sets}) == 99


def test_an_edit_that_touches_nothing_leaves_the_draw_to_chance():
    stats, rows = activity(), signature()
    silent = match_latents(stats, rows, (5, 6), seed=0, influence=np.zeros((200, 24)))
    assert np.array_equal(silent, match_latents(stats, rows, (5, 6), seed=0))
