"""Intervals against SciPy, closed forms and simulation."""

import numpy as np
import pytest
import scipy.stats

from saecli.experiments.intervals import mean_interval, ratio_interval, wilson

RNG = np.random.default_rng(0)


def test_the_interval_of_a_mean_is_the_studentised_bootstrap():
    """Against a loop over resamples, and against SciPy's BCa where there are many pictures."""
    x = RNG.exponential(size=25)
    n, mean, error = len(x), x.mean(), x.std(ddof=1) / 5
    rng = np.random.default_rng(9)
    scores = []
    for _ in range(9999):
        drawn = rng.choice(x, n)
        scores.append((drawn.mean() - mean) / (drawn.std(ddof=1) / np.sqrt(n)))
    low, high = np.quantile(scores, [0.025, 0.975])
    expected = (mean - high * error, mean - low * error)
    np.testing.assert_allclose(mean_interval(x, seed=5), expected, atol=0.1 * error)
    many = RNG.exponential(size=1000)
    theirs = scipy.stats.bootstrap((many,), np.mean, rng=np.random.default_rng(0))
    np.testing.assert_allclose(
        mean_interval(many, seed=5), theirs.confidence_interval, atol=0.1 * many.std() / 31
    )


@pytest.mark.parametrize("kind", ["normal", "exponential", "lognormal"])
def test_95_percent_intervals_of_20_pictures_cover(kind):
    rng = np.random.default_rng(0)
    draw, mean = {
        "normal": (lambda: rng.normal(size=20), 0.0),
        "exponential": (lambda: rng.exponential(size=20), 1.0),
        "lognormal": (lambda: rng.lognormal(0, 0.5, size=20), np.exp(0.125)),
    }[kind]
    limits = [mean_interval(draw(), seed=i, resamples=999) for i in range(600)]
    covered = np.mean([low <= mean <= high for low, high in limits])
    assert 0.92 < covered < 0.975


@pytest.mark.parametrize("n", [20, 60])
def test_95_percent_intervals_of_micro_shares_cover(n):
    """Pictures of 5 to 60 patches whose own shares scatter around 0.3."""
    held = 0
    for i in range(600):
        rng = np.random.default_rng((n, i))
        whole = rng.integers(5, 61, n)
        part = rng.binomial(whole, rng.beta(3, 7, n))
        low, high = ratio_interval(part, whole, seed=i, resamples=999, bounds=(0.0, 1.0))
        held += low <= 0.3 <= high
    assert 0.925 < held / 600 < 0.975


def test_a_share_of_many_pictures_has_scipys_limits():
    hits = (np.random.default_rng(1).random(800) < 0.3).astype(float)
    theirs = scipy.stats.bootstrap((hits,), np.mean, rng=np.random.default_rng(5))
    got = ratio_interval(hits, np.ones(800), seed=5)
    np.testing.assert_allclose(got, theirs.confidence_interval, atol=0.003)


def test_a_ratio_stays_between_its_bounds():
    x = RNG.normal(size=30)
    low, high = ratio_interval(x, np.ones(30), seed=0)
    assert low < 0 < high
    assert ratio_interval(x, np.ones(30), seed=0, bounds=(0.0, 1.0)) == (0.0, high)


def test_a_mean_that_rests_on_one_picture_still_gets_limits():
    values = np.r_[-3.0, np.zeros(29)]
    low, high = mean_interval(values, seed=0)
    assert -1 < low < -0.1 <= high <= 0


def test_the_same_seed_gives_the_same_interval():
    x = RNG.normal(size=30)
    assert mean_interval(x, seed=1) == mean_interval(x, seed=1) != mean_interval(x, seed=2)


def test_a_micro_share_has_the_spread_of_its_linearised_ratio():
    n = RNG.integers(5, 60, 200).astype(float)
    k = RNG.binomial(n.astype(int), 0.3).astype(float)
    share = k.sum() / n.sum()
    low, high = ratio_interval(k, n, seed=0)
    standard_error = np.sqrt(((k - share * n) ** 2).sum()) / n.sum()
    assert low == pytest.approx(share - 1.96 * standard_error, abs=0.2 * standard_error)
    assert high == pytest.approx(share + 1.96 * standard_error, abs=0.2 * standard_error)


def test_groups_are_resampled_whole():
    values = RNG.normal(size=60)
    groups = np.array([f"film {i % 12}" for i in range(60)])
    means = np.array([values[groups == g].mean() for g in sorted(set(groups))])
    for interval in (mean_interval, lambda x, **k: ratio_interval(x, np.ones(len(x)), **k)):
        grouped = interval(values, seed=0, groups=groups)
        np.testing.assert_allclose(grouped, interval(means, seed=0), rtol=1e-3)


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


def test_a_ratio_of_two_falls_has_the_interval_of_two_rises():
    rng = np.random.default_rng(4)
    top, bottom = rng.normal(2, 1, 40), rng.normal(5, 1, 40)
    rises = ratio_interval(top, bottom, seed=0)
    falls = ratio_interval(-top, -bottom, seed=0)
    assert falls == pytest.approx(rises)
    assert falls[0] < top.sum() / bottom.sum() < falls[1]
