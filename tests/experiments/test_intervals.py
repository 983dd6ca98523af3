"""Intervals against SciPy, closed forms and simulation."""

import numpy as np
import pytest
import scipy.stats

from saecli.experiments.intervals import mean_interval, ratio_interval, wilson

RNG = np.random.default_rng(0)


def test_the_interval_of_a_mean_is_scipys_bca():
    x = RNG.exponential(size=40)
    theirs = scipy.stats.bootstrap(
        (x,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    np.testing.assert_allclose(mean_interval(x, seed=5), theirs, rtol=0.02)


def test_the_same_seed_gives_the_same_interval():
    x = RNG.normal(size=30)
    assert mean_interval(x, seed=1) == mean_interval(x, seed=1) != mean_interval(x, seed=2)


def test_a_micro_share_has_the_spread_of_its_linearised_ratio():
    n = RNG.integers(5, 60, 200).astype(float)
    k = RNG.binomial(n.astype(int), 0.3).astype(float)
    share = k.sum() / n.sum()
    low, high = ratio_interval(k, n, seed=0)
    standard_error = np.sqrt(((k - share * n) ** 2).sum()) / n.sum()
    assert low == pytest.approx(share - 1.96 * standard_error, abs=0.1 * standard_error)
    assert high == pytest.approx(share + 1.96 * standard_error, abs=0.1 * standard_error)


def test_groups_are_resampled_whole():
    values = RNG.normal(size=60)
    groups = np.array([f"film {i % 12}" for i in range(60)])
    means = np.array([values[groups == g].mean() for g in sorted(set(groups))])
    grouped = mean_interval(values, seed=0, groups=groups)
    np.testing.assert_allclose(grouped, mean_interval(means, seed=0), rtol=1e-3)


def test_where_nothing_varies_the_interval_is_a_point():
    assert mean_interval(np.full(30, -1.5), seed=0) == (-1.5, -1.5)
    assert ratio_interval([3.0, 6.0], [10.0, 20.0], seed=0) == (0.3, 0.3)
    assert np.isnan(ratio_interval([], [], seed=0)).all()
    assert np.isnan(ratio_interval([0, 0], [0, 0], seed=0)).all()


def test_wilson_solves_the_score_equation():
    for k, n in ((0, 20), (7, 20), (20, 20)):
        for limit in wilson(k, n):
            if 0 < limit < 1:
                z = (k / n - limit) / np.sqrt(limit * (1 - limit) / n)
                assert abs(z) == pytest.approx(scipy.stats.norm.ppf(0.975), rel=1e-6)
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == 1
    assert np.isnan(wilson(0, 0)).all()
