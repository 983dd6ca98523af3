"""Search by Pearson's r, with exact order on ties and no NaN from latents that never fire."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from saecli.errors import SaecliError
from saecli.search.index import SignatureIndex, pearson


def sparse_signatures(n_latents: int, n_images: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2, 1, (n_latents, n_images))
    return (values * (rng.random(values.shape) < 0.3)).astype(np.float16)


def test_scores_are_scipys_pearson_r_best_first():
    signatures = sparse_signatures(40, 60)
    sources = sparse_signatures(5, 60, seed=1)
    latents, scores = SignatureIndex(signatures).search(sources, 7)
    for source, found, r in zip(sources, latents, scores, strict=True):
        expected = np.array(
            [pearsonr(source.astype(float), t.astype(float))[0] for t in signatures]
        )
        np.testing.assert_array_equal(found, np.argsort(-expected)[:7])
        np.testing.assert_allclose(r, np.sort(expected)[::-1][:7], atol=1e-12)


@pytest.mark.parametrize("copies", [3, 40])
def test_ties_go_to_the_lower_index(copies: int):
    signatures = sparse_signatures(60, 50)
    places = np.sort(np.random.default_rng(2).choice(60, copies, replace=False))
    signatures[places] = signatures[places[0]]
    latents, _ = SignatureIndex(signatures).search(signatures[places[:1]], copies)
    np.testing.assert_array_equal(latents[0], places)
    latents, _ = SignatureIndex(signatures).search(signatures[places[:1]], 2)
    np.testing.assert_array_equal(latents[0], places[:2])


def test_scores_that_float32_cannot_tell_apart_are_ranked_in_float64():
    rng = np.random.default_rng(7)
    source = rng.gamma(2, 1, 50)
    signatures = source + 3e-5 * np.linspace(2, 1, 60)[:, None] * rng.normal(size=(60, 50))
    expected = np.argsort(-pearson(source, signatures), kind="stable")
    latents, _ = SignatureIndex(signatures).search(source[None], 2)
    np.testing.assert_array_equal(latents[0], expected[:2])


def test_a_latents_rank_is_its_place_in_the_whole_search():
    signatures = sparse_signatures(30, 40)
    signatures[[4, 11]] = signatures[20]
    signatures[7] = 0
    index = SignatureIndex(signatures)
    source = sparse_signatures(1, 40, seed=3)[0]
    order = index.search(source[None], 29)[0][0]
    assert [index.rank(int(latent), source) for latent in order] == list(range(1, 30))
    assert index.rank(7, source) is None
    assert index.rank(3, np.zeros(40)) is None


def test_latents_that_never_fire_are_in_no_result():
    signatures = sparse_signatures(6, 30)
    signatures[[0, 3]] = 0
    signatures[4] = 2.5
    index = SignatureIndex(signatures)
    latents, scores = index.search(np.vstack([signatures[1], np.zeros(30), signatures[4]]), 5)
    assert sorted(latents[0]) == [-1, -1, 1, 2, 5]
    assert np.isnan(scores[0, 3:]).all()
    assert (latents[1:] == -1).all()
    assert np.isnan(scores[1:]).all()
    assert np.isfinite(index.rows).all()


def test_a_dictionary_without_any_active_latent_has_no_match():
    latents, scores = SignatureIndex(np.zeros((4, 10))).search(sparse_signatures(1, 10), 3)
    assert (latents == -1).all()
    assert np.isnan(scores).all()


def test_signatures_over_other_pictures_are_refused():
    with pytest.raises(SaecliError, match="over 30 pictures and the target's over 20"):
        SignatureIndex(sparse_signatures(3, 20)).search(sparse_signatures(1, 30), 1)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(1e-3, 1e3),
    st.floats(-100, 100),
    st.integers(0, 2**16),
)
def test_r_does_not_change_with_scale_or_shift(scale: float, shift: float, seed: int):
    a, b = sparse_signatures(2, 25, seed).astype(np.float64)
    np.testing.assert_allclose(pearson(scale * a + shift, b[None]), pearson(a, b[None]), atol=1e-8)


def test_what_is_proposed_is_the_nearest_in_some_order():
    rng = np.random.default_rng(8)
    signatures = rng.gamma(2, 1, (60, 40)) * (rng.random((60, 40)) < 0.4)
    signatures[7] = 0
    sources = rng.random((5, 40))
    sources[3] = 2.5
    index = SignatureIndex(signatures)
    proposed, exact = index.propose(sources, 9), index.search(sources, 9)[0]
    np.testing.assert_array_equal(np.sort(proposed, axis=1), np.sort(exact, axis=1))
    assert (proposed[3] == -1).all()
    assert (index.propose(sources[:1], 80)[0, 59:] == -1).all()
