"""The permutation null of the best correlation, against the same thing done naively."""

import numpy as np
import pytest

from saecli.search.index import SignatureIndex
from saecli.search.null import group_codes, null_maxima, p_values, permutations

M = 40


def test_permutations_stay_within_groups_and_reach_every_order():
    groups = group_codes(list("abacbbca" * 5), M)
    drawn = permutations(groups, 300, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(drawn, axis=1), np.tile(np.arange(M), (300, 1)))
    np.testing.assert_array_equal(groups[drawn], np.tile(groups, (300, 1)))
    three = permutations(np.zeros(3, dtype=np.int64), 6000, np.random.default_rng(1))
    _, counts = np.unique(three, axis=0, return_counts=True)
    assert len(counts) == 6
    assert abs(counts - 1000).max() < 150


def test_maxima_are_those_of_permuting_and_correlating_one_by_one():
    rng = np.random.default_rng(3)
    target = SignatureIndex(rng.gamma(1, 1, (30, M)) * (rng.random((30, M)) < 0.4))
    source = rng.gamma(1, 1, M) * (rng.random(M) < 0.4)
    groups = group_codes(rng.integers(0, 3, M), M)
    got = null_maxima(source, target.rows, groups, 50, np.random.default_rng(9))
    expected = [
        max(np.corrcoef(source[order], t)[0, 1] for t in target.signatures)
        for order in permutations(groups, 50, np.random.default_rng(9))
    ]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_p_is_the_share_of_maxima_that_reach_the_score_counting_itself():
    maxima = np.array([0.1, 0.2, 0.2, 0.4])
    p = p_values(np.array([0.5, 0.4, 0.2, 0.05, np.nan]), maxima)
    np.testing.assert_allclose(p, [1 / 5, 2 / 5, 4 / 5, 1, np.nan])


def test_groups_must_be_those_of_the_images():
    with pytest.raises(ValueError, match="3 groups for 40 images"):
        group_codes([1, 2, 3], M)
