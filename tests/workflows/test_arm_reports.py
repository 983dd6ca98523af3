"""Intervals of the shares that an experiment reports: which rule, over what, and how wide."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

from saecli.experiments.intervals import ratio_interval
from saecli.experiments.results import Results
from saecli.workflows.arm_reports import changed_ci, flipped_ci

ROWS = (("baseline", 0), ("zero_edit", 0), ("target", 0), ("twin", 0))
PLAN = SimpleNamespace(seed=0, expect="B")


def results(whole, left, gained=None, other=None, moved=None):
    """One count of each picture for the target row; under the twin nothing moves."""

    def placed(counts):
        found = np.zeros((len(whole), len(ROWS)), np.int32)
        found[:, 2] = 0 if counts is None else counts
        return found

    whole, other = np.asarray(whole), np.zeros(len(whole)) if other is None else np.asarray(other)
    return Results(
        ROWS,
        {
            "n_a": whole[:, None],
            "n_target": whole[:, None],
            "n_other": other[:, None],
            "left": placed(left),
            "gained": placed(gained),
            "changed_target": placed(left),
            "changed_other": placed(moved),
        },
    )


def wilson(k, n):
    return list(binomtest(k, n).proportion_ci(0.95, "wilson"))


def test_pictures_have_wilson_s_interval_over_those_predicted_a_before():
    whole = np.r_[np.ones(30, int), np.zeros(10, int)]
    found = results(whole, np.r_[np.ones(12, int), np.zeros(28, int)], np.eye(1, 40, 3, int)[0])
    assert flipped_ci(found, "target", PLAN, None) == [
        {"from_class": pytest.approx(wilson(12, 30)), "to_expected": pytest.approx(wilson(1, 30))}
    ]
    assert flipped_ci(found, "twin", PLAN, None)[0]["from_class"] == pytest.approx(wilson(0, 30))


def test_without_an_expected_class_nothing_is_said_of_it():
    found = results([1] * 20, [1] * 20)
    plan = SimpleNamespace(seed=0, expect=None)
    assert flipped_ci(found, "target", plan, None)[0]["to_expected"] is None


def test_patches_are_resampled_with_their_pictures():
    rng = np.random.default_rng(0)
    whole, other = rng.integers(0, 30, 40), rng.integers(1, 60, 40)
    left, moved = rng.binomial(whole, 0.3), rng.binomial(other, 0.1)
    found = results(whole, left, other=other, moved=moved)
    (shares,) = changed_ci(found, "target", PLAN, None)
    assert shares == {
        "target": list(ratio_interval(left, whole, seed=0, bounds=(0, 1))),
        "other": list(ratio_interval(moved, other, seed=0, bounds=(0, 1))),
    }
    assert shares["target"][0] < left.sum() / whole.sum() < shares["target"][1]
    assert flipped_ci(found, "target", PLAN, None)[0]["from_class"] == shares["target"]


def test_groups_widen_the_interval_of_a_share():
    groups = [str(i // 5) for i in range(60)]
    left = np.repeat(np.arange(12) % 2, 5)  # a whole group leaves, or none of it
    found = results([1] * 60, left)
    ((alone,), (grouped,)) = (flipped_ci(found, "target", PLAN, g) for g in (None, groups))
    wide, narrow = (np.diff(one["from_class"])[0] for one in (grouped, alone))
    assert wide > 1.8 * narrow


@pytest.mark.parametrize("groups", [None, [str(i // 2) for i in range(20)]])
def test_what_all_or_none_did_is_not_certain(groups):
    whole = np.full(20, 9)
    found = results(whole, whole, other=np.r_[[4] * 19, 0])
    (shares,) = changed_ci(found, "target", PLAN, groups)
    n = 20 if groups is None else 10
    assert shares["target"] == pytest.approx(wilson(n, n))
    assert shares["other"] == pytest.approx(wilson(0, 19 if groups is None else 10))


def test_where_there_is_nothing_to_count_there_is_no_interval():
    found = results([0] * 20, [0] * 20)
    assert flipped_ci(found, "target", PLAN, None)[0]["from_class"] is None
    assert changed_ci(found, "target", PLAN, None)[0] == {"target": None, "other": None}
