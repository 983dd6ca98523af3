"""Controls differ from the target's edit in direction alone."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
import torch

from saecli.errors import SaecliError
from saecli.experiments.activity import Activity, measure
from saecli.experiments.arms import Encoded
from saecli.experiments.controls import (
    ControlSettings,
    match_latents,
    other_latents,
    own_knockouts,
    random_directions,
    siblings,
)
from tests.experiments.conftest import LAYER, N_LATENTS


def activity(n=200, seed=0):
    """Latents of very different densities and strengths; the last five never fire."""
    rng = np.random.default_rng(seed)
    n_active = np.exp(rng.uniform(1, 8, n)).astype(np.int64)
    n_active[-5:] = 0
    return Activity(10_000, n_active, n_active * np.exp(rng.normal(size=n)))


def signature(n=200, seed=1):
    return np.random.default_rng(seed).normal(size=(n, 60))


def test_siblings_are_those_that_fire_on_the_same_pictures():
    rows = signature(30)
    rows[7] = rows[3] + 0.5 * np.random.default_rng(2).normal(size=60)
    rows[9] = 2.0
    rows[25] = -rows[20]
    r = np.corrcoef(np.delete(rows, 9, axis=0))  # the constant row has no correlation
    r = np.insert(np.insert(r, 9, 0, axis=0), 9, 0, axis=1)
    expected = (r[:, [3, 20]] > 0.5).any(axis=1)
    assert np.array_equal(siblings(rows, (3, 20), above=0.5), expected)
    assert set(np.flatnonzero(expected)) == {3, 7, 20}
    assert siblings(rows, (9,), above=0.5).sum() == 1


def test_matched_latents_are_the_nearest_that_fire_and_are_no_siblings():
    stats, rows = activity(), signature()
    rows[11] = rows[5]
    sets = match_latents(stats, rows, (5,), seed=0, settings=ControlSettings(n=40, pool=10))
    chosen = sets[:, 0]
    assert len(set(chosen)) == 40
    assert not set(chosen) & {5, 11, *range(195, 200)}
    log = np.log(np.stack([stats.n_active[:195] + 0.5, stats.mean_activation[:195]], 1))
    gap = (((log - log[5]) / log.std(axis=0)) ** 2).sum(axis=1)
    gap[[5, 11]] = np.inf
    assert set(chosen) == set(np.argsort(gap)[:40])


def test_each_column_of_a_set_is_drawn_from_its_own_latents_pool():
    stats, rows = activity(), signature()
    sets = match_latents(stats, rows, (5, 6, 40), seed=0)
    assert sets.shape == (99, 3)
    assert len({tuple(sorted(row)) for row in sets}) == 99
    assert all(len(set(row)) == 3 for row in sets)
    assert not np.isin(sets, [5, 6, 40]).any()
    for column, latent in zip(sets.T, (5, 6, 40), strict=True):
        assert len(set(column)) <= ControlSettings().pool
        spread = np.log(stats.n_active[:195]).std()
        assert abs(np.log(stats.n_active[column] / stats.n_active[latent])).mean() < spread / 2


def test_the_draw_depends_on_the_seed_alone():
    stats, rows = activity(), signature()
    one, two, other = (match_latents(stats, rows, (5, 6), seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_small_dictionary_gives_as_many_sets_as_it_has():
    stats, rows = activity(12), signature(12)
    assert len(match_latents(stats, rows, (2,), seed=0)) == 6
    pairs = match_latents(stats, rows, (2, 3), seed=0)
    assert len({tuple(sorted(pair)) for pair in pairs}) == len(pairs) <= 10


def test_latents_that_never_fire_are_refused_and_a_silent_member_is_not():
    stats, rows = activity(), signature()
    with pytest.raises(SaecliError, match="never fire on these pictures"):
        match_latents(stats, rows, (198, 199), seed=0)
    assert match_latents(stats, rows, (5, 199), seed=0).shape == (99, 2)
    with pytest.raises(SaecliError, match="activate 4 other latents"):
        match_latents(activity(14), signature(14), (0, 1, 2, 3, 4), seed=0)


@pytest.fixture
def batch(lab):
    return Encoded.of(lab.dictionary, lab.backbone.record(lab.pixels, LAYER))


def displaced(arm, batch):
    return (arm.apply(batch).patches - batch.output.patches).double()


@pytest.mark.parametrize("value", ["ablate", "set:-2"])
@pytest.mark.parametrize("kind", ["other", "random"])
def test_a_control_has_the_targets_norm_on_every_patch(lab, batch, kind, value):
    target = lab.target(value=value)
    if kind == "other":
        arms = other_latents(target, np.array([[1, 2, 4], [30, 31, 32]]), seed=0)
    else:
        arms = random_directions(target, 3, seed=0)
    wanted = displaced(target, batch).norm(dim=-1)
    assert (wanted == 0).any()
    assert (wanted > 0).any()
    for arm in arms:
        got = displaced(arm, batch)
        torch.testing.assert_close(got.norm(dim=-1), wanted, rtol=1e-4, atol=1e-5)
        assert (displaced(target, batch) - got).abs().max() > 0.1
        assert torch.equal(arm.apply(batch).prefix, batch.output.prefix)


def test_a_control_mixes_its_directions_by_the_targets_permuted_coefficients(lab, batch):
    target = lab.target()
    sets = np.array([[1, 2, 4], [30, 31, 32], [5, 6, 7]])
    f = batch.f.double()
    for arm in other_latents(target, sets, seed=4):
        chosen, order = arm.description["latents"], arm.description["order"]
        assert sorted(order) == [0, 1, 2]
        mixed = sum(
            -f[..., target.edit.latents[order[k]], None] * lab.dictionary.W_dec[chosen[k]].double()
            for k in range(3)
        )
        got = displaced(arm, batch)
        active = mixed.norm(dim=-1) > 0
        cosine = torch.nn.functional.cosine_similarity(got[active], mixed[active], dim=-1)
        torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-5)
    orders = [tuple(a.order) for a in other_latents(target, np.tile(sets, (10, 1)), seed=4)]
    assert len(set(orders)) > 1


def test_random_directions_are_isotropic_fixed_and_of_unit_length(lab):
    target = lab.target(latents=tuple(range(40)))
    arms = random_directions(target, 100, seed=0)
    drawn = torch.cat([arm.directions for arm in arms]).double().numpy()
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-6)
    n, d = drawn.shape
    # the mean and the second moments of uniform directions: 0 and I / d
    assert np.abs(drawn.mean(axis=0)).max() < 5 / np.sqrt(n * d)
    np.testing.assert_allclose(drawn.T @ drawn / n, np.eye(d) / d, atol=5 / d / np.sqrt(n))
    # a squared coordinate is Beta(1/2, (d − 1)/2)
    p = scipy.stats.kstest(drawn[:, 0] ** 2, scipy.stats.beta(0.5, (d - 1) / 2).cdf).pvalue
    assert p > 0.01
    again = random_directions(target, 3, seed=0)
    assert all(torch.equal(a.directions, b.directions) for a, b in zip(again, arms, strict=False))
    assert not torch.equal(random_directions(target, 1, seed=1)[0].directions, arms[0].directions)


def test_matched_latents_own_knock_out_is_not_rescaled(lab, batch):
    target = lab.target(value="set:-1.5", scope="all")
    maxima = torch.arange(N_LATENTS).float()
    (arm,) = own_knockouts(target, np.array([[1, 2, 4]]), maxima)
    f, W = batch.f.double(), lab.dictionary.W_dec.double()
    by_hand = sum((-1.5 * maxima[i] - f[..., i, None]) * W[i] for i in (1, 2, 4))
    expected = lab.dictionary.scale.double() * by_hand
    torch.testing.assert_close(displaced(arm, batch), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["topk", "relu"])
def test_activity_counts_what_fires_on_these_pictures(dinov2_lab, activation):
    kind = {"k": 12} if activation == "topk" else {"k": None}
    dictionary = dataclasses.replace(dinov2_lab.dictionary, activation=activation, **kind)
    x = dinov2_lab.backbone.record(dinov2_lab.pixels, LAYER).patches
    found = measure(dictionary, x.split(3))
    f = dictionary.encode(x).double().numpy().reshape(-1, N_LATENTS)
    assert found.n_patches == len(f)
    assert np.array_equal(found.n_active, (f > 0).sum(axis=0))
    np.testing.assert_allclose(found.total, f.sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.density, (f > 0).mean(axis=0))
    silent = (f > 0).sum(axis=0) == 0
    expected = np.where(silent, 0, f.sum(axis=0) / np.maximum((f > 0).sum(axis=0), 1))
    np.testing.assert_allclose(found.mean_activation, expected, rtol=1e-5)
