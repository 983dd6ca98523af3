"""Enriched classes against SciPy's own tests, pair by pair, and planted ones."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact
from scipy.stats.contingency import odds_ratio

from saecli.profiling.enrichment import enriched
from saecli.profiling.profiler import ProfileSettings, profile
from tests.profiling.test_profiler import (
    DICTIONARIES,
    N_IMAGES,
    S,
    activations,  # noqa: F401  the fixture
    batches,
)

PICTURES = np.array([40, 25, 60, 30, 45])


@pytest.fixture(scope="module")
def fires() -> np.ndarray:
    rng = np.random.default_rng(0)
    counts = rng.binomial(PICTURES, rng.uniform(0.05, 0.5, (30, 1))).astype(np.int32)
    counts[4] = [38, 2, 3, 20, 1]  # two classes
    counts[5] = PICTURES  # always
    counts[6] = 0  # never
    counts[7] = [0, 25, 0, 0, 0]  # all of one and nothing else
    return counts


def table(fires: np.ndarray, latent: int, cls: int) -> np.ndarray:
    both, active = fires[latent, cls], fires[latent].sum()
    rest = PICTURES.sum() - PICTURES[cls]
    return np.array(
        [[both, active - both], [PICTURES[cls] - both, rest - active + both]], dtype=float
    )


def test_q_is_fishers_p_adjusted_over_all_pairs_of_a_latent_that_fires_and_a_class(fires):
    got = enriched(fires, PICTURES, 5, level=1.0)
    tested = [latent for latent in range(len(fires)) if latent not in (5, 6)]
    p = np.array(
        [
            [fisher_exact(table(fires, i, c).astype(int), "greater")[1] for c in range(5)]
            for i in tested
        ]
    )
    q = false_discovery_control(p.ravel()).reshape(p.shape)
    n_checked = 0
    for row, latent in enumerate(tested):
        for place, cls in enumerate(got.class_number[latent]):
            if cls >= 0 and got.q[latent, place] <= 0.05:
                assert got.q[latent, place] == pytest.approx(q[row, cls], rel=1e-9)
                n_checked += 1
        expected = {c for c in range(5) if q[row, c] <= 0.05}
        found = got.class_number[latent][got.q[latent] <= 0.05]
        assert set(found) == expected
    assert n_checked >= 3
    assert (got.class_number[[5, 6]] == -1).all()


def test_the_effect_is_the_log_odds_ratio_with_woolfs_interval(fires):
    got = enriched(fires, PICTURES, 3)
    assert got.class_number[4].tolist()[:2] == [0, 3]
    cells = table(fires, 4, 0) + 0.5
    reference = odds_ratio((10 * cells).astype(int), kind="sample")  # whole numbers
    assert got.effect[4, 0] == pytest.approx(np.log2(reference.statistic), abs=1e-5)
    half = 1.959964 * np.sqrt((1 / cells).sum()) / np.log(2)
    assert got.low[4, 0] == pytest.approx(got.effect[4, 0] - half, abs=1e-4)
    assert got.high[4, 0] == pytest.approx(got.effect[4, 0] + half, abs=1e-4)
    assert got.class_number[7].tolist() == [1, -1, -1]
    assert np.isfinite(got.effect[7, 0])
    assert np.isnan(got.effect[7, 1])


def test_chance_alone_enriches_hardly_anything():
    rng = np.random.default_rng(3)
    pictures = np.full(40, 20)
    counts = rng.binomial(20, rng.uniform(0.02, 0.6, (400, 1)), (400, 40)).astype(np.int32)
    assert (enriched(counts, pictures, 5).class_number >= 0).sum() <= 2


@pytest.mark.parametrize("size", [7, N_IMAGES])
def test_a_profile_counts_every_picture_that_has_a_class(activations, size):  # noqa: F811
    dictionary = DICTIONARIES["relu"]
    classes = np.arange(N_IMAGES) % 4 - 1  # a quarter has none
    got = profile(dictionary, batches(activations, size), N_IMAGES, classes=classes)
    fires = (dictionary.encode(activations) > 0).any(dim=1).numpy()
    counts = np.stack([fires[classes == c].sum(axis=0) for c in range(3)], axis=1)
    expected = enriched(counts.astype(np.int32), np.bincount(classes[classes >= 0]), 5)
    assert got.enriched is not None
    np.testing.assert_array_equal(got.enriched.class_number, expected.class_number)
    np.testing.assert_array_equal(got.enriched.q, expected.q)
    assert len(got.enriched.q) == S


def test_without_classes_there_is_no_enrichment(activations):  # noqa: F811
    settings = ProfileSettings(n_exemplars=2)
    got = profile(DICTIONARIES["relu"], batches(activations, 30), N_IMAGES, settings)
    assert got.enriched is None
