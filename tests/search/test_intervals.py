"""Bootstrap intervals, against SciPy's and against resampling one by one."""

from types import SimpleNamespace

import numpy as np
from scipy.stats import bootstrap, pearsonr

from saecli.search.index import pearson
from saecli.search.intervals import bca_interval, jackknifed_r, resample_counts, resampled_r


def pair(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shared = rng.gamma(2, 1, n) * (rng.random(n) < 0.4)
    return shared + rng.random(n) * (shared > 0), shared * (rng.random(n) < 0.9)


def test_resampled_and_jackknifed_r_are_those_of_the_images_repeated_or_left_out():
    s, t = pair(30, 0)
    t = np.vstack([t, s**2])
    counts = resample_counts(30, 40, np.random.default_rng(1))
    assert (counts.sum(axis=1) == 30).all()
    for count, got in zip(counts, resampled_r(counts, s, t), strict=True):
        images = np.repeat(np.arange(30), count.astype(int))
        np.testing.assert_allclose(got, [pearsonr(s[images], row[images])[0] for row in t])
    for image, got in enumerate(jackknifed_r(s, t)):
        rest = np.delete(np.arange(30), image)
        np.testing.assert_allclose(got, [pearsonr(s[rest], row[rest])[0] for row in t])


def test_an_images_cells_are_drawn_and_left_out_together():
    cells = 3
    s, t = pair(20 * cells, 3)
    t = np.vstack([t, s**2])
    images = np.arange(20 * cells).reshape(20, cells)
    counts = resample_counts(20, 15, np.random.default_rng(1))
    for count, got in zip(counts, resampled_r(counts, s, t, cells), strict=True):
        drawn = np.repeat(images, count.astype(int), axis=0).ravel()
        np.testing.assert_allclose(got, [pearsonr(s[drawn], row[drawn])[0] for row in t])
    for image, got in enumerate(jackknifed_r(s, t, cells)):
        rest = np.delete(images, image, axis=0).ravel()
        np.testing.assert_allclose(got, [pearsonr(s[rest], row[rest])[0] for row in t])


def test_the_interval_is_scipys_from_the_same_resamples():
    s, t = pair(120, 4)
    counts = resample_counts(120, 2000, np.random.default_rng(0))
    resampled = resampled_r(counts, s, t[None])
    got = bca_interval(pearson(s, t[None]), resampled, jackknifed_r(s, t[None]), 0.95)[0]
    ours = SimpleNamespace(bootstrap_distribution=resampled[:, 0])
    expected = bootstrap(
        (s, t),
        lambda a, b: pearsonr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=0,
        bootstrap_result=ours,
        method="BCa",
    ).confidence_interval
    np.testing.assert_allclose(got, [expected.low, expected.high], rtol=1e-6)


def test_resamples_without_variance_count_as_no_correlation():
    s, t = np.zeros(12), np.zeros(12)
    s[3] = t[3] = 1
    counts = resample_counts(12, 500, np.random.default_rng(2))
    r = resampled_r(counts, s, t[None])[:, 0]
    np.testing.assert_array_equal(r, (counts[:, 3] > 0).astype(float))


def test_a_perfect_correlation_has_an_interval():
    s, _ = pair(50, 1)
    counts = resample_counts(50, 200, np.random.default_rng(0))
    t = 2 * s[None]
    got = bca_interval(pearson(s, t), resampled_r(counts, s, t), jackknifed_r(s, t), 0.95)
    np.testing.assert_allclose(got, [[1, 1]], atol=1e-9)
