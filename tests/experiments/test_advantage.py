"""Two detectors on the same pictures: their F1 and the interval of the difference."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from saecli.experiments.advantage import f1, f1_advantage, patch_hits, picture_hits
from saecli.experiments.detection import detect_images, detect_patches
from tests.dictionaries import random_dictionary

X = 3 * torch.randn(30, 6, 8, generator=torch.Generator().manual_seed(0))


def test_the_counts_give_back_the_f1_that_detection_reported():
    dictionary, rng = random_dictionary(), np.random.default_rng(0)
    positive = rng.random((30, 6)) < 0.3
    negative = ~positive & (rng.random((30, 6)) < 0.8)
    batches = [(X[:20], positive[:20], negative[:20]), (X[20:], positive[20:], negative[20:])]
    found = detect_patches(dictionary, batches)
    pictures = [(X[:20], positive[:20, 0]), (X[20:], positive[20:, 0])]
    whole = detect_images(dictionary, pictures)
    for latent in range(0, 24, 5):
        hits = patch_hits(dictionary, latent, found.threshold[latent], batches)
        assert hits.shape == (30, 3)
        assert f1(hits) == pytest.approx(found.f1[latent])
        hits = picture_hits(dictionary, latent, whole.threshold[latent], pictures)
        assert f1(hits) == pytest.approx(whole.f1[latent])
    called = dictionary.encode(X)[..., 3].numpy() >= 0.7
    counted = positive | negative
    expected = f1_score(positive[counted], called[counted])
    assert f1(patch_hits(dictionary, 3, 0.7, batches)) == pytest.approx(expected)


def hits_of(share, rng, n=200):
    called = rng.random(n) < share
    return np.stack([called, rng.random(n) < 0.1, ~called], axis=1).astype(np.int64)


def test_the_interval_is_that_of_resampled_pictures():
    rng = np.random.default_rng(0)
    good, bad = hits_of(0.8, rng), hits_of(0.6, rng)
    draws = []
    for _ in range(3000):
        drawn = rng.integers(0, 200, 200)
        draws.append(f1(good[drawn]) - f1(bad[drawn]))
    np.testing.assert_allclose(
        f1_advantage(good, bad, seed=0), np.quantile(draws, [0.025, 0.975]), atol=0.008
    )
    assert f1_advantage(good, good, seed=0) == (0.0, 0.0)
    assert f1_advantage(good, bad, seed=0)[0] > 0


def test_groups_widen_the_interval():
    rng = np.random.default_rng(1)
    good, bad = (np.repeat(hits_of(share, rng, 40), 5, axis=0) for share in (0.8, 0.6))
    narrow = np.ptp(f1_advantage(good, bad, seed=0))
    wide = np.ptp(f1_advantage(good, bad, seed=0, groups=np.repeat(np.arange(40), 5)))
    assert wide > 1.8 * narrow
