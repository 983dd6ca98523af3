"""What counts as another figure when an experiment is run again."""

import numpy as np

from saecli.records import FamilyPlace, ImageRef
from saecli.workflows.rerun import compare_reports, compare_trials, place_among

ROWS = [("baseline", 0), ("zero_edit", 0), ("target", 0), ("random_directions", 0)]
IMAGE = ImageRef(7, "a.png")


def figures(**changes):
    return {
        "margin": np.array([1.0, 1.0, 0.5, np.nan]),
        "predicted": np.array([0, 0, 1, 0], np.int32),
        "probabilities": np.eye(2, dtype=np.float32),
    } | changes


def differences(new, rows=ROWS):
    return compare_trials((ROWS, {0: figures()}), (rows, {0: new}), {0: IMAGE})


def test_equal_figures_are_identical_and_so_are_two_that_are_no_number():
    assert differences(figures()) == []


def test_the_last_bit_counts():
    margin = np.array([1.0, 1.0, np.nextafter(0.5, 1), np.nan])
    (one,) = differences(figures(margin=margin))
    assert (one.figure, one.arm, one.image, one.n_values) == ("margin", "target 0", IMAGE, 1)
    assert (one.stored, one.now) == (0.5, margin[2])


def test_the_arm_with_the_largest_difference_is_named():
    (one,) = differences(figures(predicted=np.array([0, 1, 1, 5], np.int32)))
    assert (one.arm, one.n_values, one.stored, one.now) == ("random_directions 0", 2, 0, 5)


def test_a_number_where_there_was_none_differs():
    (one,) = differences(figures(margin=np.array([1.0, 1.0, 0.5, 0.1])))
    assert (one.arm, one.n_values) == ("random_directions 0", 1)


def test_a_figure_that_is_missing_or_has_another_shape_differs():
    gone = figures()
    gone.pop("predicted")
    (one,) = differences(gone)
    assert (one.figure, one.stored, one.now) == ("predicted", [4], None)
    (one,) = differences(figures(probabilities=np.zeros((2, 3), np.float32)))
    assert (one.stored, one.now) == ([2, 2], [2, 3])


def test_other_arms_are_said_to_be_others():
    (one,) = differences(figures(), [*ROWS[:3], ("twin", 0)])
    assert one.figure == "arms"


def test_reports_are_compared_but_for_the_experiment_s_number():
    stored = {"experiment": 1, "verdict": "supported", "effect": -1.0, "extras": {"a": 1}}
    assert compare_reports(stored, stored | {"experiment": 2, "extras": {"rerun_of": 1}}) == []
    (one,) = compare_reports(stored, stored | {"verdict": "refuted"})
    assert (one.figure, one.stored, one.now) == ("verdict", "supported", "refuted")


def test_an_experiment_judged_among_others_has_its_new_p_adjusted():
    stored = {4: 0.01, 5: 0.04, 6: 0.02}
    assert place_among(stored, 4) == FamilyPlace(3, [4, 5, 6], 0.03, 0.03)
    assert place_among(stored | {4: 0.5}, 4) == FamilyPlace(3, [4, 5, 6], 0.5, 0.5)


def test_what_an_earlier_saecli_did_not_report_is_no_difference():
    stored = {"effect": -1.0, "specificity": {"holds": True}, "arms": [{"n": 1}, {"n": 2}]}
    now = {
        "effect": -1.0,
        "specificity": {"holds": True, "n_without": 30},
        "arms": [{"n": 1, "ci": None}, {"n": 2, "ci": None}],
        "changed_ci": None,
    }
    assert compare_reports(stored, now) == []
    (one,) = compare_reports(stored, now | {"arms": [{"n": 1}, {"n": 3, "ci": None}]})
    assert (one.figure, one.stored, one.now) == ("arms", stored["arms"], [{"n": 1}, {"n": 3}])
    (gone,) = compare_reports(stored, {key: now[key] for key in ("effect", "arms")})
    assert (gone.figure, gone.now) == ("specificity", None)
