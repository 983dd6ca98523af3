"""A latent that another dictionary splits is explained by the parts, judged on other images."""

import numpy as np
import pytest

from saecli.search.index import SignatureIndex
from saecli.search.sets import SetSettings, find_set

M, S = 600, 40


def noise(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(2, 1, (n, M)) * (rng.random((n, M)) < 0.15)


@pytest.fixture(scope="module")
def split() -> tuple[np.ndarray, np.ndarray]:
    """The source is the sum of the target's latents 3, 19 and 30."""
    rng = np.random.default_rng(0)
    target = noise(rng, S)
    return target[[3, 19, 30]].sum(axis=0) * rng.uniform(0.9, 1.1, M), target


def test_the_parts_are_found_and_beat_the_best_of_them(split):
    source, target = split
    found = find_set(source, SignatureIndex(target))
    assert found is not None
    assert set(found.latents) == {3, 19, 30}
    assert found.score > 0.98
    assert found.ci[0] <= found.score <= found.ci[1]
    assert found.single_score < 0.8
    assert found.gain_ci is not None
    assert found.gain_ci[0] > 0.1
    assert found.n_images == M // 2


def test_a_latent_with_one_counterpart_needs_no_set(split):
    _, target = split
    rng = np.random.default_rng(1)
    found = find_set(target[7] * rng.uniform(0.9, 1.1, M), SignatureIndex(target))
    assert found is not None
    assert found.latents == (7,)
    assert found.gain_ci is None
    assert found.score == found.single_score


def test_what_chance_adds_is_no_gain_on_the_images_that_judge():
    rng = np.random.default_rng(2)
    settings = SetSettings(least_gain=0.0)
    gains = 0
    for _ in range(20):
        found = find_set(noise(rng, 1)[0], SignatureIndex(noise(rng, S)), settings=settings)
        assert found is not None
        gains += found.gain_ci is not None and found.gain_ci[0] > 0
    assert gains <= 2


def test_a_set_has_no_more_than_is_asked_for(split):
    source, target = split
    found = find_set(source, SignatureIndex(target), settings=SetSettings(most=2))
    assert found is not None
    assert len(found.latents) == 2
    assert find_set(np.ones(M), SignatureIndex(target)) is None
