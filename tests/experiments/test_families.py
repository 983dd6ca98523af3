"""Adjusted p-values, against values worked out by hand and against the closed procedure."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saecli.errors import SaecliError
from saecli.experiments.families import benjamini_hochberg, check_controls, holm
from saecli.experiments.verdicts import Rule, judge, rank_p

P_VALUES = st.lists(st.integers(1, 100).map(lambda rank: rank / 100), min_size=1, max_size=7)


def test_values_worked_out_by_hand():
    p = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, 0.04, 0.04, 0.02])
    assert holm([0.3]).tolist() == benjamini_hochberg([0.3]).tolist() == [0.3]
    assert holm([]).size == 0


@given(P_VALUES)
def test_holm_is_the_closed_procedure_over_bonferroni(p):
    """A hypothesis stands if every set that it is part of is rejected by Bonferroni's test."""
    m = len(p)
    sets = [s for k in range(1, m + 1) for s in combinations(range(m), k)]
    worst = [
        max(min(1.0, len(s) * min(p[i] for i in s)) for s in sets if one in s) for one in range(m)
    ]
    np.testing.assert_allclose(holm(p), worst)


@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.1, 0.25]))
def test_benjamini_hochberg_finds_what_its_step_up_finds(p, alpha):
    ordered = sorted(p)
    steps = [i for i, one in enumerate(ordered, 1) if one <= i * alpha / len(p) + 1e-12]
    found = benjamini_hochberg(p) <= alpha + 1e-12
    assert found.sum() == (max(steps) if steps else 0)


@given(P_VALUES)
def test_bh_is_never_stricter_than_holm_and_neither_is_below_p(p):
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()
    assert (benjamini_hochberg(p) >= np.array(p) - 1e-12).all()


def test_wrong_p_values_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.5])
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([float("nan")])


@pytest.mark.parametrize("m", [1, 3, 20, 41])
def test_the_controls_that_a_family_needs_reach_its_first_step(m):
    rule = Rule(family=m)
    n = rule.least_controls
    check_controls(rule, n)
    best = [rank_p(-1.0, np.zeros(n)), *[1.0] * (m - 1)]
    assert holm(best)[0] <= rule.alpha + 1e-12
    with pytest.raises(SaecliError, match=f"set controls to at least {n}"):
        check_controls(rule, n - 1)
    short = [rank_p(-1.0, np.zeros(n - 1)), *[1.0] * (m - 1)]
    assert holm(short)[0] > rule.alpha


def test_the_verdict_rests_on_the_adjusted_p():
    rng = np.random.default_rng(0)
    before, after = 5 + rng.normal(size=40), 1 + rng.normal(size=40)
    controls = {"other_latents": rng.normal(0, 0.1, 99), "random_directions": np.zeros(99)}

    def verdict(adjusted, family):
        return judge(
            before, after, controls, np.zeros(20), seed=0, rule=Rule(family=family),
            adjusted_p=adjusted,
        )  # fmt: skip

    assert verdict(None, 1).verdict == verdict(0.05, 9).verdict == "supported"
    assert verdict(None, 9).reasons == verdict(0.06, 9).reasons == ("controls_do_as_much",)
    assert verdict(0.06, 9).p_value == 0.01
