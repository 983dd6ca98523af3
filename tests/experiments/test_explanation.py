"""An explanation ranks by the margin's slope and says how well that agrees with knock-outs."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from saecli.errors import SaecliError
from saecli.experiments.explanation import explain
from saecli.experiments.margins import Contrast
from tests.experiments.conftest import LAYER

WHOLE = tuple(range(16))
SOME = (2, 3, 7, 11)


@pytest.fixture
def exact(lab):
    """The same laboratory in float64."""
    model = copy.deepcopy(lab.backbone.model).double()
    backbone = dataclasses.replace(lab.backbone, model=model, dtype=torch.float64)
    return dataclasses.replace(
        lab, backbone=backbone, dictionary=lab.dictionary.to(dtype=torch.float64)
    )


def test_a_class_that_is_predicted_nowhere_is_one_sentence(exact):
    head = exact.probe("segmentation", "patches").to(dtype=torch.float64)
    never = dataclasses.replace(head, bias=torch.tensor([0.0, -1e9, 0, 0], dtype=torch.float64))
    with pytest.raises(SaecliError, match="no patch looked at is predicted 'b'"):
        explain(exact.bench(never), one_picture(exact), SOME, listed=5)


def one_picture(lab, number=2):
    return lab.backbone.record(lab.pixels[number : number + 1].double(), LAYER)


def margin_by_hand(lab, head, patches, output, where):
    with torch.no_grad():
        final = lab.backbone.resume(output.with_patches(patches), LAYER)
        read = final.cls[:, None] if where is None else final.patches[:, where]
        logits = read @ head.weight + head.bias
    return float((logits[..., 1] - logits[..., 2]).mean())


@pytest.mark.parametrize("patches", [WHOLE, SOME])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_slopes_and_knock_outs_equal_independent_ones(exact, task, patches):
    reads = "cls" if task == "classification" else "patches"
    head = exact.probe(task, reads).to(dtype=torch.float64)
    output, d = one_picture(exact), exact.dictionary
    where = None
    if task == "segmentation":
        with torch.no_grad():
            logits = exact.backbone.resume(output, LAYER).patches @ head.weight
        shown = [p for p in patches if int(logits[0, p].argmax()) == 1]
        assert 0 < len(shown) < len(patches)
        where = torch.tensor(shown)
    found = explain(exact.bench(head), output, patches, listed=5)
    x, f = output.patches, d.encode(output.patches)
    before = margin_by_hand(exact, head, x, output, where)
    assert found.margin == pytest.approx(before)
    inside = torch.zeros(16, 1, dtype=torch.float64)
    inside[list(patches)] = 1
    active = [i for i in range(d.n_latents) if bool((f[0, list(patches), i] != 0).any())]
    assert sorted(found.ranked) == active
    assert list(found.attributions) == sorted(found.attributions)
    for rank, latent in enumerate(found.ranked):
        along = -d.scale * f[..., latent, None] * d.W_dec[latent] * inside
        step = 1e-5
        up, down = (
            margin_by_hand(exact, head, x + s * along, output, where) for s in (step, -step)
        )
        assert found.attributions[rank] == pytest.approx((up - down) / (2 * step), abs=1e-6)
        out = margin_by_hand(exact, head, x + along, output, where)
        assert found.effects[rank] == pytest.approx(out - before, abs=1e-9)
    assert found.n_checked == len(active)
    ranks = rankdata(found.attributions), rankdata(found.effects)
    assert found.rank_correlation == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_the_probability_is_the_probe_s(exact):
    head = exact.probe().to(dtype=torch.float64)
    output = one_picture(exact)
    with torch.no_grad():
        logits = exact.backbone.resume(output, LAYER).cls @ head.weight
    found = explain(exact.bench(head, Contrast(1)), output, WHOLE, listed=5)
    p = float(logits.softmax(-1)[0, 1])
    assert found.probability == pytest.approx(p)
    assert found.margin == pytest.approx(np.log(p / (1 - p)))


def test_with_many_latents_the_listed_and_a_spread_of_the_others_are_checked(exact):
    bench = exact.bench(exact.probe().to(dtype=torch.float64))
    seen = []
    found = explain(
        bench, one_picture(exact), WHOLE, listed=4, most_checked=12, on_checked=seen.append
    )
    run = np.flatnonzero(np.isfinite(found.effects))
    assert len(found.ranked) > 12
    assert list(run[:4]) == [0, 1, 2, 3]
    assert run[-1] == len(found.ranked) - 1
    assert found.n_checked == sum(seen) == 12
    whole = explain(bench, one_picture(exact), WHOLE, listed=4)
    np.testing.assert_allclose(found.effects[run], whole.effects[run], atol=1e-12)
    ranks = rankdata(found.attributions[run]), rankdata(found.effects[run])
    assert found.rank_correlation == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_the_strongest_knock_out_is_listed_wherever_its_slope_ranks_it(exact):
    bench = exact.bench(exact.probe().to(dtype=torch.float64))
    found = explain(bench, one_picture(exact), WHOLE, listed=4)
    best = int(np.argmin(found.effects))
    assert found.strongest == best
    for most in (1, 3, 500):
        first = [r for r in range(len(found.ranked)) if r < most and found.attributions[r] < 0]
        assert found.listed(most) == first + ([] if best in first else [best])
    moved = dataclasses.replace(found, effects=np.abs(found.effects))
    assert moved.strongest is None
    assert moved.listed(2) == [0, 1]
    last = moved.effects.copy()
    last[-1] = -9.0
    assert dataclasses.replace(found, effects=last).listed(2) == [0, 1, len(last) - 1]


def test_of_too_few_latents_no_rank_correlation_is_reported(exact):
    bench = exact.bench(exact.probe().to(dtype=torch.float64))
    found = explain(bench, one_picture(exact), (0,), listed=1, most_checked=2)
    assert found.n_checked == 2
    assert np.isnan(found.rank_correlation)
