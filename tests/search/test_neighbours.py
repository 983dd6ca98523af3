"""What relates two latents of a dictionary, against plain definitions."""

import numpy as np
import pytest

from saecli.grid import CoarseMaps
from saecli.search.neighbours import (
    correlations,
    cosines,
    ranked,
    together_on_cells,
    together_on_images,
)

RNG = np.random.default_rng(0)


def maxima(n_latents=40, n_images=300):
    values = RNG.gamma(1.0, size=(n_latents, n_images))
    values[RNG.random(values.shape) < 0.7] = 0
    return values.astype(np.float16)


def test_correlations_are_numpy_s():
    signatures = maxima()
    signatures[7] = signatures[3]
    found = correlations(signatures[3], signatures)
    expected = np.corrcoef(signatures.astype(np.float64))[3]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[7] == pytest.approx(1)


def test_a_constant_signature_correlates_with_nothing():
    signatures = maxima()
    signatures[5] = 0
    signatures[6] = 2.5
    found = correlations(signatures[0], signatures)
    assert np.isnan(found[[5, 6]]).all()
    assert not np.isnan(np.delete(found, [5, 6])).any()
    assert np.isnan(correlations(signatures[6], signatures)).all()


def test_together_is_jaccard_s_index_of_the_pictures():
    signatures = maxima()
    signatures[5] = 0
    found = together_on_images(signatures[2], signatures)
    own = set(np.flatnonzero(signatures[2] > 0))
    for latent, row in enumerate(signatures):
        fires = set(np.flatnonzero(row > 0))
        assert found[latent] == pytest.approx(len(own & fires) / len(own | fires))
    assert np.isnan(together_on_images(signatures[5], signatures)[5])


def test_together_on_cells_tells_places_apart():
    cells = [[0, 1, 5], [1, 5, 6, 7], [], [2, 3]]
    maps = CoarseMaps(
        images=np.arange(2),
        n_cells=4,
        start=np.cumsum([0, *map(len, cells)]),
        column=np.concatenate([np.array(one, np.uint16) for one in cells]),
        value=np.ones(9, np.float16),
    )
    np.testing.assert_allclose(together_on_cells(0, maps), [1, 2 / 5, 0, 0])
    assert np.isnan(together_on_cells(2, maps)[2])


def test_cosines_are_those_of_the_rows():
    rows = RNG.normal(size=(9, 16)).astype(np.float32)
    rows[4] = 0
    found = cosines(rows[1], rows)
    for i in (0, 1, 5):
        expected = rows[1] @ rows[i] / np.linalg.norm(rows[1]) / np.linalg.norm(rows[i])
        assert found[i] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found[4])


def test_ranking_is_descending_with_ties_by_lower_index():
    scores = [0.5, np.nan, 0.9, 0.5, 0.9, -1.0]
    assert ranked(scores).tolist() == [2, 4, 0, 3, 5]
    assert ranked(scores, [True, True, False, True, True, False]).tolist() == [4, 0, 3]
