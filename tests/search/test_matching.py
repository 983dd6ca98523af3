"""The counterpart test finds what was planted, and nothing else at its stated level."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saecli.errors import SaecliError
from saecli.search.index import SignatureIndex
from saecli.search.matching import MatchSettings, compare_latent

M, S = 300, 40
QUICK = MatchSettings(n_permutations=199, n_resamples=300)


def noise(rng: np.random.Generator, n_latents: int, share: float = 0.2) -> np.ndarray:
    """Latents that fire on independent random images."""
    return rng.gamma(2, 1, (n_latents, M)) * (rng.random((n_latents, M)) < share)


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray]:
    """A source and a dictionary whose latent 17 fires on nearly the same images."""
    rng = np.random.default_rng(0)
    target = noise(rng, S)
    source = target[17] * rng.uniform(0.7, 1.3, M) * (rng.random(M) < 0.95)
    return source, target


def test_a_planted_counterpart_is_found(planted: tuple[np.ndarray, np.ndarray]):
    source, target = planted
    got = compare_latent(source, SignatureIndex(target), top=3)
    assert got.counterpart == got.matches[0].index == 17
    assert got.reason is None
    assert got.matches[0].score == pytest.approx(np.corrcoef(source, target[17])[0, 1])
    assert got.matches[0].ci[0] < got.matches[0].score < got.matches[0].ci[1]
    assert got.matches[0].p_value == 1 / 1000
    assert got.n_active == (source > 0).sum()
    assert got.n_images == M
    assert len(got.matches) == 3
    assert got.margin == pytest.approx(got.matches[0].score - got.matches[1].score)
    assert got.null_quantile is not None
    assert got.matches[1].score < got.null_quantile + 0.1
    assert got.untrained_score is None
    assert got.beyond_untrained is None


def test_counterparts_under_independence_are_no_more_than_the_level():
    rng = np.random.default_rng(1)
    target = SignatureIndex(noise(rng, S))
    lenient = replace(QUICK, min_r=-1.0)  # the permutation test alone
    n = 200
    p = np.array(
        [
            compare_latent(noise(rng, 1)[0], target, top=1, settings=lenient).matches[0].p_value
            for _ in range(n)
        ]
    )
    assert (p <= 0.05).mean() < 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / n)
    assert 0.4 < p.mean() < 0.6  # and it is no test that never rejects


def test_what_the_pictures_groups_explain_is_no_counterpart():
    rng = np.random.default_rng(2)
    kinds = np.repeat(["bird", "landscape", "postcard"], M // 3)
    steady = 5 + rng.random((S + 1, M))  # fires on every bird, independently within birds
    signatures = steady * (kinds == "bird")
    source, target = signatures[0], SignatureIndex(signatures[1:])
    assert compare_latent(source, target, settings=QUICK).counterpart is not None
    got = compare_latent(source, target, groups=kinds, settings=QUICK)
    assert got.matches[0].score > 0.9
    assert got.counterpart is None
    assert got.reason == "not_significant"


def test_a_counterpart_within_groups_is_still_found(planted: tuple[np.ndarray, np.ndarray]):
    source, target = planted
    kinds = np.arange(M) % 3
    got = compare_latent(source, SignatureIndex(target), groups=kinds, settings=QUICK)
    assert got.counterpart == 17


@pytest.mark.parametrize(("n_active", "reason"), [(19, "too_few_active"), (20, None)])
def test_a_source_must_fire_on_at_least_twenty_images(
    planted: tuple[np.ndarray, np.ndarray], n_active: int, reason: str | None
):
    source, target = planted
    source = source * (np.cumsum(source > 0) <= n_active)
    target[3] = source
    got = compare_latent(source, SignatureIndex(target), settings=QUICK)
    assert got.n_active == n_active
    assert got.matches[0].index == 3
    assert got.reason == reason
    assert got.counterpart == (None if reason else 3)


def test_a_significant_but_weak_match_is_no_counterpart():
    rng = np.random.default_rng(5)
    target = noise(rng, S)
    source = target[8] + 1.8 * noise(rng, 1)[0]
    got = compare_latent(source, SignatureIndex(target), settings=QUICK)
    assert got.matches[0].index == 8
    assert got.matches[0].p_value <= 0.05
    assert got.matches[0].ci[0] < 0.5
    assert (got.counterpart, got.reason) == (None, "too_weak")


def test_a_source_that_never_fires_has_no_matches():
    target = SignatureIndex(noise(np.random.default_rng(0), S))
    got = compare_latent(np.zeros(M), target)
    assert got.matches == ()
    assert (got.counterpart, got.reason, got.n_active) == (None, "too_few_active", 0)
    got = compare_latent(np.full(M, 2.0), target)
    assert (got.counterpart, got.reason, got.n_active) == (None, "not_significant", M)


def test_the_untrained_twins_best_match_stands_beside(planted: tuple[np.ndarray, np.ndarray]):
    source, target = planted
    rng = np.random.default_rng(8)
    index = SignatureIndex(target)
    unrelated = compare_latent(source, index, untrained=SignatureIndex(noise(rng, S)))
    assert unrelated.untrained_score is not None
    assert unrelated.untrained_score < 0.4
    assert unrelated.beyond_untrained is True
    alike = noise(rng, S)
    alike[2] = target[17] * rng.uniform(0.7, 1.3, M)
    twin = compare_latent(source, index, untrained=SignatureIndex(alike))
    assert twin.untrained_index == 2
    assert twin.beyond_untrained is False
    assert twin.counterpart == 17
    silent = compare_latent(source, index, untrained=SignatureIndex(np.zeros((S, M))))
    assert (silent.untrained_score, silent.beyond_untrained) == (None, None)


def test_the_difference_is_resampled_in_pairs(planted: tuple[np.ndarray, np.ndarray]):
    source, target = planted
    same = compare_latent(source, SignatureIndex(target), untrained=SignatureIndex(target))
    assert same.difference_ci == (0, 0)
    assert same.beyond_untrained is False


def test_one_seed_gives_one_result(planted: tuple[np.ndarray, np.ndarray]):
    source, target = planted
    index, twin = SignatureIndex(target), SignatureIndex(target[::-1])
    first = compare_latent(source, index, untrained=twin, settings=QUICK)
    assert compare_latent(source, index, untrained=twin, settings=QUICK) == first
    other = compare_latent(source, index, untrained=twin, settings=replace(QUICK, seed=1))
    assert other.matches[0].ci != first.matches[0].ci
    assert other.matches[0].score == first.matches[0].score
    fewer = compare_latent(source, index, top=1, untrained=twin, settings=QUICK)
    assert fewer.matches == first.matches[:1]


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_scaling_any_latent_changes_nothing(scale: float, seed: int):
    rng = np.random.default_rng(seed)
    target = noise(rng, 8)
    source = target[3] + noise(rng, 1)[0]
    few = replace(QUICK, n_permutations=59, n_resamples=99)
    plain = compare_latent(source, SignatureIndex(target), settings=few)
    scaled = compare_latent(
        scale * source, SignatureIndex(target * rng.uniform(0.1, 10, (8, 1))), settings=few
    )
    assert [m.index for m in scaled.matches] == [m.index for m in plain.matches]
    assert [m.p_value for m in scaled.matches] == [m.p_value for m in plain.matches]
    np.testing.assert_allclose(
        [m.ci for m in scaled.matches], [m.ci for m in plain.matches], atol=1e-6
    )


def test_signatures_over_other_pictures_are_refused():
    target = SignatureIndex(noise(np.random.default_rng(0), S))
    with pytest.raises(SaecliError, match="over 10 pictures and the target's over 300"):
        compare_latent(np.ones(10), target)
