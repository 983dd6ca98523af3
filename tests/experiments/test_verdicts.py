"""The rule: each verdict where it belongs, p by rank, and the controls that a family needs."""

import numpy as np
import pytest
from scipy.stats import binom, mannwhitneyu

from saecli.errors import SaecliError
from saecli.experiments.verdicts import Rule, judge, rank_p

RNG = np.random.default_rng(0)
BEFORE = 5.0 + 0.5 * RNG.normal(size=60)
NOISE = RNG.normal(size=60)
NOISE -= NOISE.mean()
WEAK = {"other_latents": RNG.normal(size=99) * 0.1, "random_directions": np.zeros(99)}
AS_STRONG = {"other_latents": np.linspace(-9, 1, 99), "random_directions": np.zeros(99)}


NEARBY = 0.3 * RNG.normal(size=25)
NEARBY -= NEARBY.mean()


def verdict(effect, controls=WEAK, without=NEARBY, spread=0.2, before=BEFORE, **options):
    after = before + effect + spread * NOISE
    return judge(before, after, controls, without, seed=0, **options)


@pytest.mark.parametrize(
    ("case", "expected", "reasons"),
    [
        ({"effect": -3.0}, "supported", ()),
        ({"effect": -3.0, "without": [*(NEARBY - 1.4), np.nan]}, "supported", ()),
        ({"effect": -0.4, "spread": 0.1}, "refuted", ("effect_below_smallest",)),
        ({"effect": -0.1, "controls": AS_STRONG}, "refuted", None),
        ({"effect": 3.0}, "refuted", None),
        ({"effect": -0.5}, "inconclusive", ("interval_reaches_smallest",)),
        ({"effect": -0.1, "spread": 4.0}, "inconclusive", None),
        ({"effect": -3.0, "controls": AS_STRONG}, "inconclusive", ("controls_do_as_much",)),
        ({"effect": -3.0, "without": NEARBY - 1.6}, "inconclusive", ("not_specific",)),
        ({"effect": -3.0, "without": NEARBY + 1.6}, "inconclusive", ("not_specific",)),
        ({"effect": -3.0, "without": ()}, "inconclusive", ("nothing_without_class",)),
        ({"effect": -3.0, "without": (np.nan,)}, "inconclusive", ("nothing_without_class",)),
        ({"effect": -3.0, "without": NEARBY[:20]}, "supported", ()),
        ({"effect": -3.0, "without": NEARBY[:19]}, "inconclusive", ("nothing_without_class",)),
        ({"effect": -3.0, "controls": {}}, "inconclusive", ("no_controls",)),
        ({"effect": -3.0, "before": -BEFORE}, "inconclusive", ("no_baseline_margin",)),
        ({"effect": 0.0, "before": -BEFORE}, "inconclusive", None),
    ],
)
def test_each_verdict_where_it_belongs(case, expected, reasons):
    found = verdict(**case)
    assert found.verdict == expected
    if reasons is not None:
        assert found.reasons == reasons


def test_the_figures_behind_a_verdict():
    found = verdict(-3.0, without=(-1.0, 0.5, np.nan))
    assert found.effect == pytest.approx(-3.0)
    assert found.interval[0] < -3.0 < found.interval[1] < -2.9
    assert found.baseline == pytest.approx(BEFORE.mean())
    assert found.smallest_effect == pytest.approx(0.1 * BEFORE.mean())
    assert found.effect_without == pytest.approx(-0.25)
    assert (found.absolute_without, found.n_without) == (pytest.approx(0.75), 2)
    assert found.specific is None, "two pictures show nothing"
    assert found.p_values == {"other_latents": 0.01, "random_directions": 0.01}


def test_an_effect_of_just_the_smallest_size_is_seldom_decided():
    """δ is measured on the same pictures: taken as known, an eighth of these were refuted."""
    rng, n, verdicts = np.random.default_rng(0), 200, []
    rule = Rule(resamples=500)
    for seed in range(n):
        before = rng.normal(10, 4, 20)
        changes = -1.0 + 0.1 * (before - 10) + rng.normal(0, 0.3, 20)
        controls, without = {"other_latents": np.zeros(99)}, np.zeros(20)
        judged = judge(before, before + changes, controls, without, seed=seed, rule=rule)
        verdicts.append(judged.verdict)
    for decided in ("supported", "refuted"):
        assert verdicts.count(decided) <= binom.ppf(0.999, n, 0.025)


def test_the_larger_p_of_the_kinds_counts():
    found = verdict(-3.0, controls={"a": np.zeros(99), "b": np.r_[-4.0, np.zeros(98)]})
    assert found.p_values == {"a": 0.01, "b": 0.02}
    assert found.p_value == 0.02
    assert found.verdict == "supported"


def test_p_is_the_rank_among_all_arms_and_ties_count_against():
    assert rank_p(-1.0, np.zeros(99)) == 0.01
    assert rank_p(-1.0, [-1.0, -2.0, 0.0, 0.5]) == 3 / 5
    assert rank_p(-1.0, [-1.0 + 1e-9] * 19) == 1.0
    assert rank_p(0.0, []) == 1.0


def test_what_is_no_number_counts_against():
    assert rank_p(-1.0, [np.nan, 0.0, 0.5]) == 2 / 4
    assert rank_p(np.nan, np.zeros(99)) == 1.0
    broken = judge(np.r_[BEFORE, np.nan], np.r_[BEFORE - 3, np.nan], WEAK, NEARBY, seed=0)
    assert (broken.verdict, broken.p_value) == ("inconclusive", 1.0)
    assert "controls_do_as_much" in broken.reasons


def test_p_equals_the_exact_rank_sum_test_of_one_against_the_rest():
    arms = RNG.normal(size=30)
    for chosen in (0, 7, 29):
        rest = np.delete(arms, chosen)
        theirs = mannwhitneyu(arms[[chosen]], rest, alternative="less", method="exact")
        assert rank_p(arms[chosen], rest) == pytest.approx(theirs.pvalue)


def test_p_is_valid_under_the_null():
    draws = np.random.default_rng(1).normal(size=(4000, 20))
    p = np.array([rank_p(row[0], row[1:]) for row in draws])
    for alpha in (0.05, 0.1, 0.25):
        assert abs((p <= alpha).mean() - alpha) < 3 * np.sqrt(alpha * (1 - alpha) / 4000)


def test_a_family_divides_alpha_and_needs_more_controls():
    assert [Rule(family=m).least_controls for m in (1, 2, 5, 100)] == [19, 39, 99, 1999]
    assert Rule(alpha=0.1, family=3).least_controls == 29
    one_above = {"a": np.r_[-4.0, np.zeros(98)], "b": np.zeros(99)}
    assert verdict(-3.0, controls=one_above, rule=Rule(family=2)).verdict == "supported"
    assert verdict(-3.0, controls=one_above, rule=Rule(family=5)).verdict == "inconclusive"


def test_too_few_pictures_or_controls_are_refused():
    Rule().check(20, {"other_latents": 19, "random_directions": 19})
    with pytest.raises(SaecliError, match=r"19 pictures are left.*at least 20"):
        Rule().check(19, {})
    with pytest.raises(SaecliError, match="one hypothesis needs 19"):
        Rule().check(20, {"other_latents": 18})
    with pytest.raises(SaecliError, match=r"random directions.*5 need 99"):
        Rule(family=5).check(20, {"other_latents": 99, "random_directions": 98})


def test_pictures_that_belong_together_widen_the_interval():
    groups = np.arange(60) // 6
    shared = np.repeat(np.random.default_rng(3).normal(size=10), 6)
    after = BEFORE - 3 + shared
    alone = judge(BEFORE, after, WEAK, NEARBY, seed=0)
    together = judge(BEFORE, after, WEAK, NEARBY, seed=0, groups=groups)
    width = [high - low for low, high in (alone.interval, together.interval)]
    assert width[1] > 1.8 * width[0]


def test_what_moves_elsewhere_in_both_directions_is_seen_beside_its_mean():
    cancelling = np.tile([-4.0, 4.0], 20)
    found = verdict(-3.0, without=cancelling)
    assert (found.effect_without, found.specific) == (0.0, True)
    assert found.absolute_without == 4.0
    low, high = found.interval_without
    exact = 1.96 * 4.0 / np.sqrt(40)
    assert (low, high) == (pytest.approx(-exact, rel=0.1), pytest.approx(exact, rel=0.1))


def test_pictures_without_the_class_that_belong_together_count_once():
    twenty, nineteen = np.arange(60) // 3, np.minimum(np.arange(60) // 3, 18)
    elsewhere = np.tile(NEARBY[:20], 3)
    assert verdict(-3.0, without=elsewhere, groups_without=twenty).n_without == 20
    few = verdict(-3.0, without=elsewhere, groups_without=nineteen)
    assert (few.n_without, few.reasons) == (19, ("nothing_without_class",))
    lacking = np.r_[elsewhere[:-3], [np.nan] * 3]  # the twentieth group has no such patch
    assert verdict(-3.0, without=lacking, groups_without=twenty).n_without == 19
