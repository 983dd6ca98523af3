"""The closed form is the paper's double sum, in float64."""

import numpy as np
import pytest
import torch

from saecli.profiling.monosemanticity import monosemanticity
from saecli.profiling.profiler import ProfileSettings, profile
from tests.profiling.test_profiler import (
    DICTIONARIES,
    N_IMAGES,
    S,
    activations,  # noqa: F401  the fixture
    batches,
)


def by_pairs(a: np.ndarray, embeddings: np.ndarray) -> float:
    """Pach et al. 2025, section 3.2, pair by pair."""
    scaled = (a - a.min()) / (a.max() - a.min())
    top = bottom = 0.0
    for n in range(len(a)):
        for m in range(len(a)):
            if n == m:
                continue
            u, v = embeddings[n], embeddings[m]
            cosine = u @ v / (np.linalg.norm(u) * np.linalg.norm(v))
            top += scaled[n] * scaled[m] * cosine
            bottom += scaled[n] * scaled[m]
    return top / bottom


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    return np.random.default_rng(1).normal(0.3, 1, (30, 7))


def test_the_closed_form_equals_the_sum_over_pairs(embeddings: np.ndarray):
    rng = np.random.default_rng(0)
    a = rng.gamma(2, 1, (12, 30)) * (rng.random((12, 30)) < np.linspace(0.1, 1, 12)[:, None])
    a[11] += 2  # fires everywhere: the least is not 0
    got = monosemanticity(a, embeddings)
    expected = [by_pairs(row, embeddings) for row in a]
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_a_latent_of_one_kind_of_picture_scores_one_and_of_opposite_kinds_less():
    kinds = np.repeat([[1.0, 0.0], [-1.0, 0.0]], 10, axis=0)
    one, both, single = np.zeros(20), np.zeros(20), np.zeros(20)
    one[:10] = both[5:15] = single[3] = 1
    got = monosemanticity(np.stack([one, both, single, np.zeros(20), np.ones(20)]), kinds)
    assert got[0] == pytest.approx(1)
    assert got[1] == pytest.approx((5 * 4 * 2 - 5 * 5 * 2) / 90)
    assert np.isnan(got[2:]).all()


def test_a_profiles_score_is_of_its_signature_and_the_means_of_the_pictures_patches(
    activations,  # noqa: F811
):
    dictionary = DICTIONARIES["relu"]
    x = activations + 0.2 * torch.rand(
        activations.shape, generator=torch.Generator().manual_seed(9)
    )
    settings = ProfileSettings(signature_images=31)
    got = profile(dictionary, batches(x, 16), N_IMAGES, settings)
    means = dictionary.normalise(x).mean(dim=1)[got.signature_images].double().numpy()
    for latent in range(S):
        a = got.signature[latent].astype(np.float64)
        if (a > 0).sum() < 2:
            assert np.isnan(got.monosemanticity[latent])
        else:
            expected = by_pairs(a, means)
            assert got.monosemanticity[latent] == pytest.approx(expected, abs=1e-6)
