"""By maps a latent that fires at the same place is found, not one on the same pictures."""

from dataclasses import replace

import numpy as np
import pytest

from saecli.search.coarse import CoarseIndex
from saecli.search.dictionaries import find_counterparts
from saecli.search.evidence import Maps
from saecli.search.index import SignatureIndex
from saecli.search.matching import MatchSettings, compare_latent
from tests.search.test_coarse import sparse_maps

M, C, S = 200, 9, 20
QUICK = MatchSettings(n_permutations=199, n_resamples=300)


def fires(rng: np.random.Generator, n: int) -> np.ndarray:
    shape = (n, M, C)
    return rng.gamma(2, 1, shape) * (rng.random(shape) < 0.1)


@pytest.fixture
def decoyed() -> tuple[np.ndarray, np.ndarray]:
    """A source, a latent at its places (4), and one with its very maxima elsewhere (9)."""
    rng = np.random.default_rng(0)
    source, target = fires(rng, 3), fires(rng, S)
    target[4] = source[1] * rng.uniform(0.5, 1.5, (M, C))
    target[9] = np.roll(source[1], 4, axis=1)
    return source, target


def indices(maps: np.ndarray) -> tuple[SignatureIndex, CoarseIndex]:
    return SignatureIndex(maps.max(axis=2)), CoarseIndex(sparse_maps(maps))


def test_what_fires_elsewhere_on_the_same_pictures_is_no_match(decoyed):
    (source, mine), (target, theirs) = map(indices, decoyed)
    by_maxima = compare_latent(source.signatures[1], target, settings=QUICK)
    assert by_maxima.counterpart == 9
    got = compare_latent(
        source.signatures[1], target, maps=Maps(mine, theirs), latent=1, settings=QUICK
    )
    assert got.counterpart == 4
    expected = np.corrcoef(decoyed[0][1].ravel(), decoyed[1][4].ravel())[0, 1]
    assert got.matches[0].score == pytest.approx(expected, abs=1e-3)  # float16
    assert got.matches[0].ci[0] < got.matches[0].score < got.matches[0].ci[1]
    assert got.matches[0].p_value == 1 / 200
    assert all(match.score < 0.4 for match in got.matches if match.index == 9)
    assert (got.n_images, got.n_active) == (M, (decoyed[0][1] > 0).any(axis=1).sum())


def test_only_what_image_maxima_propose_is_ranked(decoyed):
    (source, mine), (target, theirs) = map(indices, decoyed)
    one = replace(QUICK, proposed=1)
    got = compare_latent(
        source.signatures[1], target, top=2, maps=Maps(mine, theirs), latent=1, settings=one
    )
    assert {match.index for match in got.matches} == {4, 9}  # the two that are asked for


def test_the_untrained_twin_is_compared_by_maps_too(decoyed):
    (source, mine), (target, theirs) = map(indices, decoyed)
    twin, its = indices(decoyed[1][[9, 0, 1]])
    got = compare_latent(
        source.signatures[1],
        target,
        untrained=twin,
        maps=Maps(mine, theirs, its),
        latent=1,
        settings=QUICK,
    )
    assert got.untrained_score is not None
    assert got.untrained_score < 0.3
    assert got.beyond_untrained is True


def test_whole_dictionaries_are_compared_as_single_latents_are(decoyed):
    (source, mine), (target, theirs) = map(indices, decoyed)
    found = find_counterparts(
        source, target, untrained=target, maps=Maps(mine, theirs, theirs), settings=QUICK
    )
    assert found.best[1] == 4
    assert found.reason[1] is None
    assert found.untrained_score is not None
    np.testing.assert_array_equal(found.untrained_score, found.score)
    assert found.beyond_untrained is not None
    assert not found.beyond_untrained.any()
    for latent in range(3):
        single = compare_latent(
            source.signatures[latent],
            target,
            maps=Maps(mine, theirs),
            latent=latent,
            settings=QUICK,
        )
        assert found.best[latent] == single.matches[0].index
        assert found.score[latent] == pytest.approx(single.matches[0].score, abs=1e-12)


def test_groups_explain_what_the_kinds_of_pictures_explain():
    rng = np.random.default_rng(2)
    kinds = np.repeat([0, 1], M // 2)
    everywhere = 5 + rng.random((S + 1, M, C))
    maps = everywhere * (kinds == 0)[:, None] * (np.arange(C) < 3)
    (source, mine), (target, theirs) = indices(maps[:1]), indices(maps[1:])
    plain = {"maps": Maps(mine, theirs), "settings": QUICK}
    assert compare_latent(source.signatures[0], target, **plain).counterpart is not None
    got = compare_latent(source.signatures[0], target, groups=kinds, **plain)
    assert got.reason == "not_significant"
    all_of_them = find_counterparts(source, target, groups=kinds, **plain)
    assert all_of_them.reason == ("not_significant",)
