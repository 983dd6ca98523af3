"""Dose and response: each dose equals an experiment of its own, beside pushes of its size."""

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.experiments.arms import Encoded
from saecli.experiments.doses import PUSHES, SLIDERS, dose_arms, parse_doses, responses
from saecli.experiments.intervals import mean_interval
from saecli.experiments.results import Results
from saecli.experiments.runner import rows, run
from tests.experiments.conftest import LAYER

DOSES = ("set:-3", "set:0", "set:2")


def results_of(lab, arms, bench=None):
    pictures = {}
    run(bench or lab.bench(), arms, lab.prefixes(), on_pictures=pictures.update)
    return Results.of(rows(arms), pictures)


def test_doses_are_read_in_order_and_once():
    assert parse_doses("set:10, set:-20,ablate,set:10") == ("set:-20", "set:0", "set:10")
    assert parse_doses("scale:0.5,ablate") == ("scale:0", "scale:0.5")
    assert parse_doses("sliders") == SLIDERS == parse_doses(",".join(SLIDERS))
    assert (SLIDERS[0], SLIDERS[-1]) == ("set:-20", "set:20")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("set:1,scale:2", "of two kinds"),
        ("set:1", "makes no curve"),
        ("ablate,set:0", "makes no curve"),
        ("set:1,more", "'more' is no value"),
        ("", "'' is no value"),
    ],
)
def test_wrong_doses_are_refused(text, words):
    with pytest.raises(SaecliError, match=words):
        parse_doses(text)


@pytest.mark.parametrize("scope", ["active", "all"])
def test_each_dose_equals_an_experiment_of_its_own(lab, scope):
    target = lab.target(scope=scope)
    found = responses(results_of(lab, [target, *dose_arms(target, DOSES, seed=4)]), DOSES, seed=4)
    assert [str(one.value) for one in found] == list(DOSES)
    for dose, one in zip(DOSES, found, strict=True):
        alone = results_of(lab, [lab.target(value=dose, scope=scope)])
        changes = (alone.margins("target") - alone.margins("baseline"))[:, 0]
        assert one.effect == pytest.approx(alone.effects("target")[0], abs=1e-4)
        assert one.interval == pytest.approx(mean_interval(changes, seed=4), abs=1e-3)
        assert (one.left, one.gained) == pytest.approx(alone.flipped("target")[0], nan_ok=True)


def test_the_pushes_of_a_dose_have_its_norm_on_every_patch(lab):
    target = lab.target(scope="all")
    batch = Encoded.of(lab.dictionary, lab.backbone.record(lab.pixels, LAYER))
    arms = dose_arms(target, DOSES, seed=4)
    for i in range(len(DOSES)):
        dose, *pushes = arms[i * (PUSHES + 1) : (i + 1) * (PUSHES + 1)]
        move = dose.move(batch)
        wanted = torch.zeros(batch.x.shape[:2])
        wanted.view(-1)[move.places] = torch.linalg.vector_norm(move.displacement, dim=-1)
        for push in pushes:
            moved = push.apply(batch).patches - batch.output.patches
            norm = torch.linalg.vector_norm(moved, dim=-1)
            torch.testing.assert_close(norm, wanted, rtol=1e-3, atol=1e-4)
    assert [(arm.kind, arm.number) for arm in arms[:3]] == [
        ("dose", 0), ("dose_push", 0), ("dose_push", 1),
    ]  # fmt: skip
    assert len({(arm.kind, arm.number) for arm in arms}) == len(arms)


def test_the_pushes_stand_with_their_dose(dinov2_lab):
    """A dose twenty times as large pushes further; the rows are not mixed up."""
    lab, doses = dinov2_lab, ("set:-100", "set:0")
    target = lab.target(scope="all")
    results = results_of(lab, [target, *dose_arms(target, doses, seed=4)])
    large, small = responses(results, doses, seed=4)
    single = [results_of(lab, [target, *dose_arms(target, doses, seed=4)[: PUSHES + 1]])]
    np.testing.assert_allclose(large.pushes, single[0].effects("dose_push"), atol=1e-4)
    assert np.abs(large.pushes).max() > np.abs(small.pushes).max()
    limit = float(np.abs(small.pushes).max())
    assert large.any_push_reaches(limit)
    assert not small.any_push_reaches(1.01 * limit)


def test_intervals_resample_groups(lab):
    target = lab.target()
    results = results_of(lab, [target, *dose_arms(target, DOSES, seed=0)])
    groups = np.repeat([0, 1], 5)
    grouped = responses(results, DOSES, seed=0, groups=groups)
    changes = results.margins("dose") - results.margins("baseline")
    for i, one in enumerate(grouped):
        assert one.interval == mean_interval(changes[:, i], seed=0, groups=groups)
