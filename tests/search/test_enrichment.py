"""Latents of a class: AUROC, interval and adjusted p, against other libraries and repetition."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, mannwhitneyu
from sklearn.metrics import roc_auc_score

from saecli.search.enrichment import adjusted, class_enrichment

RNG = np.random.default_rng(0)


def world(n_class=30, n_other=90, n_latents=20, shift=0.0):
    of_class = np.arange(n_class + n_other) < n_class
    values = RNG.gamma(1.0, size=(n_latents, len(of_class)))
    values[:, of_class] += shift
    values[RNG.random(values.shape) < 0.6] = 0
    return values.astype(np.float16), of_class


def test_the_effect_is_the_auroc():
    values, of_class = world(shift=0.5)
    found = class_enrichment(values, of_class)
    for i, row in enumerate(values):
        assert found.auroc[i] == pytest.approx(roc_auc_score(of_class, row), abs=1e-6)
        assert found.with_class[i] == pytest.approx((row[of_class] > 0).mean())
        assert found.without[i] == pytest.approx((row[~of_class] > 0).mean())
    assert (found.low <= found.auroc).all()
    assert (found.auroc <= found.high).all()


def test_the_p_values_are_mann_and_whitney_s_adjusted_for_their_number():
    values, of_class = world(shift=0.3)
    p = [
        mannwhitneyu(
            row[of_class], row[~of_class],
            alternative="greater", method="asymptotic", use_continuity=False,
        ).pvalue
        for row in values.astype(np.float64)
    ]  # fmt: skip
    found = class_enrichment(values, of_class)
    np.testing.assert_allclose(found.q, false_discovery_control(p), rtol=0.02, atol=1e-9)


def test_a_latent_that_never_fires_has_no_p_and_counts_for_none():
    values, of_class = world()
    values[3] = 0
    found = class_enrichment(values, of_class)
    assert found.auroc[3] == 0.5
    assert np.isnan(found.q[3])
    rest = class_enrichment(np.delete(values, 3, axis=0), of_class)
    np.testing.assert_allclose(np.delete(found.q, 3), rest.q)


def test_where_the_class_means_nothing_hardly_any_latent_is_found():
    values, of_class = world(n_latents=400)
    assert (class_enrichment(values, of_class).q <= 0.05).sum() <= 2


def test_the_interval_covers_the_truth():
    covered = []
    for _ in range(200):
        own, other = RNG.normal(1.0, size=25), RNG.normal(size=60)
        values = np.concatenate([own, other])[None] + 10
        found = class_enrichment(values, np.arange(85) < 25)
        covered.append(found.low[0] <= 0.7602 <= found.high[0])  # Φ(1/√2)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_a_perfect_latent_still_has_an_interval():
    values = np.concatenate([np.full(10, 3.0), np.full(40, 1.0)])[None]
    found = class_enrichment(values, np.arange(50) < 10)
    assert found.auroc[0] == 1
    assert 0.6 < found.low[0] < 1
    assert found.high[0] == pytest.approx(1)


def test_adjusting_keeps_what_is_no_number():
    p = np.array([0.01, np.nan, 0.04, 0.03])
    expected = false_discovery_control([0.01, 0.04, 0.03])
    np.testing.assert_allclose(adjusted(p)[[0, 2, 3]], expected)
    assert np.isnan(adjusted(p)[1])
