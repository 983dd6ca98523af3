"""Reciprocal ranks against ranking by SciPy's correlation."""

import numpy as np
from scipy.stats import pearsonr

from saecli.search.coarse import CoarseIndex
from saecli.search.evidence import Maps
from saecli.search.index import SignatureIndex
from saecli.search.mutual import reciprocal_ranks
from tests.search.test_coarse import sparse_maps

M, C, S = 50, 4, 12


def expected(latent: int, match: np.ndarray, own: np.ndarray) -> float:
    r = [pearsonr(match, row).statistic for row in own]
    order = sorted(range(len(own)), key=lambda i: (-r[i], i))
    return 1 / (1 + order.index(latent))


def test_ranks_by_maps_and_by_maxima_are_those_of_all_the_sources_latents():
    rng = np.random.default_rng(0)
    dense = [rng.gamma(2, 1, (S, M, C)) * (rng.random((S, M, C)) < 0.3) for _ in range(2)]
    source, target = dense
    target[5] = source[2] * rng.uniform(0.8, 1.2, (M, C))
    images = np.arange(M)
    maps = Maps(*(CoarseIndex(sparse_maps(one, images)) for one in dense))
    indices = [SignatureIndex(one.max(axis=2)) for one in dense]
    matches = np.array([5, 0, 7])
    by_maps = reciprocal_ranks(2, matches, *indices, maps)
    by_maxima = reciprocal_ranks(2, matches, *indices, None)
    half = [one.astype(np.float16).astype(float) for one in dense]
    for place, match in enumerate(matches):
        flat = half[1][match].ravel(), half[0].reshape(S, -1)
        assert by_maps[place] == expected(2, *flat)
        peaks = target[match].max(axis=1), source.max(axis=2)
        assert by_maxima[place] == expected(2, *peaks)
    assert by_maps[0] == by_maxima[0] == 1
