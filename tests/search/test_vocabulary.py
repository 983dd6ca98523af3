import numpy as np
import pytest

from saecli.search.vocabulary import WordRule, best_words


@pytest.fixture
def world():
    """300 pictures, 4 words, latents: one per word, one that never fires, one of nothing."""
    rng = np.random.default_rng(0)
    likeness = rng.normal(size=(4, 300))
    shown = np.maximum(likeness + 0.5 * rng.normal(size=(4, 300)) - 0.5, 0)
    nothing = np.maximum(rng.normal(size=300), 0)
    return np.vstack([shown, np.zeros(300), nothing]).astype(np.float16), likeness


def test_every_latent_gets_the_word_that_correlates_most(world):
    signatures, likeness = world
    found = best_words(signatures, likeness, WordRule())
    expected = np.corrcoef(np.vstack([signatures.astype(float)[[0, 1, 2, 3, 5]], likeness]))[:5, 5:]
    assert found.word[:4].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.r[[0, 1, 2, 3, 5]], expected.max(axis=1), atol=1e-12)
    np.testing.assert_allclose(
        found.runner_up_r[[0, 1, 2, 3, 5]], np.sort(expected, axis=1)[:, -2], atol=1e-12
    )
    assert found.good.tolist() == [True] * 4 + [False] * 2


def test_a_latent_that_never_fires_has_no_word(world):
    found = best_words(*world, WordRule())
    assert (found.word[4], found.runner_up[4], found.n_active[4]) == (-1, -1, 0)
    assert np.isnan(found.r[4])


def test_a_latent_that_fires_on_few_pictures_gets_none(world):
    _, likeness = world
    rare = np.zeros((1, 300))
    strongest = np.argsort(-likeness[0])[:19]
    rare[0, strongest] = 1
    assert not best_words(rare, likeness, WordRule()).good[0]
    assert best_words(rare, likeness, WordRule(least_active=19)).good[0]


def test_words_that_mean_nothing_are_seldom_given():
    """Random likeness: the best of 50 words passes at about the stated level or less."""
    rng = np.random.default_rng(1)
    signatures = np.maximum(rng.normal(size=(400, 200)) - 1, 0)
    found = best_words(signatures, rng.normal(size=(50, 200)), WordRule(least_r=0))
    assert found.good.mean() <= 0.08
    assert not best_words(signatures, rng.normal(size=(50, 200)), WordRule(least_r=0.4)).good.any()


def test_one_word_alone_has_no_next_best(world):
    signatures, likeness = world
    found = best_words(signatures, likeness[:1], WordRule())
    assert set(found.runner_up.tolist()) == {-1}
