"""Two dictionaries compared: planted pairs are found, others not, and the null is calibrated."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from saecli.errors import SaecliError
from saecli.search.dictionaries import Counterparts, find_counterparts
from saecli.search.index import SignatureIndex, pearson
from saecli.search.matching import MatchSettings, compare_latent

M, S = 400, 60
QUICK = MatchSettings(n_permutations=399, n_resamples=300)


def noise(rng: np.random.Generator, n_latents: int) -> np.ndarray:
    """Latents that fire on independent images, some often and some rarely."""
    share = np.geomspace(0.08, 0.6, n_latents)[:, None]
    return rng.gamma(2, 1, (n_latents, M)) * (rng.random((n_latents, M)) < share)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Latent i < 20 of the source fires on the images of the target's latent 59 − 2i."""
    rng = np.random.default_rng(0)
    source, target = noise(rng, S), noise(rng, S)
    for i in range(20):
        source[i] = target[59 - 2 * i] * rng.uniform(0.7, 1.3, M)
    source[40] *= np.cumsum(source[40] > 0) <= 10
    source[41] = 0
    return source, target


@pytest.fixture(scope="module")
def found(planted: tuple[np.ndarray, np.ndarray]) -> Counterparts:
    source, target = planted
    return find_counterparts(SignatureIndex(source), SignatureIndex(target), settings=QUICK)


def test_the_planted_pairs_and_no_others_are_counterparts(found: Counterparts):
    np.testing.assert_array_equal(np.flatnonzero(found.found), np.arange(20))
    np.testing.assert_array_equal(found.best[:20], 59 - 2 * np.arange(20))
    assert found.reason[40] == found.reason[41] == "too_few_active"
    assert found.n_comparable == S - 2
    assert found.share == 20 / 58
    assert found.best[41] == -1
    assert np.isnan(found.score[41])
    assert found.untrained_score is None


def test_each_latents_figures_are_those_of_its_own_comparison(
    planted: tuple[np.ndarray, np.ndarray], found: Counterparts
):
    source, target = planted
    index = SignatureIndex(target)
    for latent in (0, 7, 19, 30, 55):
        alone = compare_latent(source[latent], index, settings=QUICK)
        assert found.best[latent] == alone.matches[0].index
        assert found.score[latent] == alone.matches[0].score
        assert found.n_active[latent] == alone.n_active
        assert abs(found.p_value[latent] - alone.matches[0].p_value) < 0.15
        if found.reason[latent] is None:
            np.testing.assert_allclose(found.ci[latent], alone.matches[0].ci, atol=1e-9)
    tested = ~np.isnan(found.p_value)
    np.testing.assert_allclose(
        found.adjusted_p[tested], false_discovery_control(found.p_value[tested])
    )


def test_the_pooled_null_holds_its_level_for_rare_and_frequent_latents():
    rng = np.random.default_rng(4)
    target = SignatureIndex(noise(rng, S))
    source = np.concatenate([noise(rng, S) for _ in range(8)])
    p = find_counterparts(SignatureIndex(source), target, settings=QUICK).p_value
    rare = np.tile(np.arange(S) < S // 2, 8)
    for part in (p[rare], p[~rare]):
        assert (part <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(part))
        assert 0.42 < part.mean() < 0.58


def test_strata_are_latents_of_like_density(found: Counterparts):
    assert sum(stratum.n_latents for stratum in found.strata) == found.n_comparable
    for stratum in found.strata:
        assert 20 <= stratum.fewest <= stratum.most < 2.01 * stratum.fewest + 20
        assert 0 < stratum.null_quantile < 0.5
    assert found.strata[0].null_quantile > found.strata[-1].null_quantile


def test_what_the_pictures_groups_explain_is_no_counterpart():
    rng = np.random.default_rng(6)
    kinds = np.repeat(["bird", "landscape", "postcard", "portrait"], M // 4)
    belongs = (kinds[None] == np.unique(kinds)[:, None])[np.arange(S) % 4]
    source, target = ((5 + rng.random((S, M))) * belongs for _ in range(2))
    source[5] = target[9] * rng.uniform(0.9, 1.1, M)
    indices = SignatureIndex(source), SignatureIndex(target)
    assert find_counterparts(*indices, settings=QUICK).share == 1
    within = find_counterparts(*indices, groups=kinds, settings=QUICK)
    assert {stratum.group for stratum in within.strata} == {0, 1, 2, 3}
    assert within.found.sum() <= 1 + 0.05 * S
    assert within.score[6] > 0.9


def test_the_untrained_twin_takes_away_what_it_has_too(
    planted: tuple[np.ndarray, np.ndarray],
):
    source, target = planted
    rng = np.random.default_rng(3)
    twin = noise(rng, S)
    twin[:10] = source[:10] * rng.uniform(0.9, 1.1, (10, M))
    got = find_counterparts(
        SignatureIndex(source),
        SignatureIndex(target),
        untrained=SignatureIndex(twin),
        settings=QUICK,
    )
    assert got.untrained_score is not None
    assert got.beyond_untrained is not None
    np.testing.assert_array_equal(np.flatnonzero(got.beyond_untrained), np.arange(10, 20))
    assert got.untrained_score[3] == pytest.approx(pearson(source[3], twin[3][None])[0])
    silent = find_counterparts(
        SignatureIndex(source),
        SignatureIndex(target),
        untrained=SignatureIndex(np.zeros((S, M))),
        settings=QUICK,
    )
    assert silent.found.sum() == 20
    assert silent.beyond_untrained is not None
    assert not silent.beyond_untrained.any()  # nothing to be beyond of


def test_one_seed_gives_one_result(planted: tuple[np.ndarray, np.ndarray], found: Counterparts):
    source, target = planted
    again = find_counterparts(SignatureIndex(source), SignatureIndex(target), settings=QUICK)
    np.testing.assert_array_equal(again.p_value, found.p_value)
    np.testing.assert_array_equal(again.ci, found.ci)
    other = find_counterparts(
        SignatureIndex(source), SignatureIndex(target), settings=replace(QUICK, seed=5)
    )
    assert not np.array_equal(other.p_value, found.p_value)
    np.testing.assert_array_equal(other.score, found.score)


def test_dictionaries_that_never_fire_have_no_counterparts():
    silent = SignatureIndex(np.zeros((5, M)))
    got = find_counterparts(silent, SignatureIndex(noise(np.random.default_rng(0), S)))
    assert set(got.reason) == {"too_few_active"}
    assert got.share is None
    got = find_counterparts(SignatureIndex(noise(np.random.default_rng(0), S)), silent)
    assert not got.found.any()


def test_signatures_over_other_pictures_are_refused():
    with pytest.raises(SaecliError, match="over 400 pictures and the target's over 30"):
        find_counterparts(SignatureIndex(np.ones((5, M))), SignatureIndex(np.ones((5, 30))))
