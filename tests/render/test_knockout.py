"""The screen of an experiment: the sentence, the reasons, the chart."""

import io

import pytest
from rich.console import Console

from saecli.records import FamilyPlace
from saecli.render.knockout_table import hypothesis, knockout_table
from saecli.render.strips import Chart, Row
from tests.render import reports


def screen(report, width=120):
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, color_system=None)
    console.print(knockout_table(report))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"latents": ["clip:3", "clip:9"]},
            "Setting clip:3+9 to 0 where they fire lowers blue [jay] in favour of "
            "Clark's nutcracker.",
        ),
        (
            {"latents": ["clip:3"], "value": "set:-2", "scope": "all", "expect": None},
            "Setting clip:3 to −2 times their largest activation on all patches lowers blue [jay].",
        ),
        (
            {"latents": ["clip:3"], "value": "scale:0.5", "scope": "3,4", "expect": None},
            "Setting clip:3 to 0.5 times their activation on patches 3,4 lowers blue [jay].",
        ),
        (
            {"expect": None},
            "Setting clip:12+13+14+15+16+17 and 6 more to 0 where they fire lowers blue [jay].",
        ),
    ],
)
def test_the_hypothesis_is_a_sentence(changes, sentence):
    assert hypothesis(reports.knockout(**changes)).plain.splitlines()[0] == sentence


def test_whether_it_was_stated_before_the_run_is_said():
    assert "stated before the run" in screen(reports.knockout())
    assert "stated by the run itself" in screen(reports.knockout(registered=False))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ci": [-3.9, -3.2]}, "✓ the effect's 95 % interval [−3.90, −3.20] lies wholly beyond"),
        ({"ci": [-0.3, 0.1]}, "✗ the effect's 95 % interval [−0.30, 0.10] lies wholly inside"),
        (
            {"ci": [2.9, 3.1]},
            "✗ the effect's 95 % interval [2.90, 3.10] does not reach the smallest "
            "effect of interest (−0.41 nats): the margin rises",
        ),
        ({"ci": [-0.9, -0.1]}, "✗ the effect's 95 % interval [−0.90, −0.10] reaches across"),
        ({"p_value": 0.05}, "✓ p = 0.050"),
        ({"p_value": 0.06}, "✗ p = 0.060"),
        ({"family": FamilyPlace(3, [1, 2, 3], 3 * (1 / 20), 0.01), "alpha": 0.15}, "✓ p = 0.010"),
        ({"specificity": {"effect_without": -0.3, "holds": True}}, "✓ without blue [jay]"),
        ({"specificity": {"effect_without": -3.0, "holds": False}}, "✗ without blue [jay]"),
        ({"extras": {"most_without": 0.5}}, "(at most half as much)"),
        ({"extras": {"most_without": 0.9}}, "(at most 0.9 times as much)"),
        (
            {"extras": {"reasons": ["no_baseline_margin"], "baseline_margin": -1.2}},
            "✗ the probe does not favour blue [jay] before the edit (margin −1.20 nats)",
        ),
    ],
)
def test_each_part_of_the_rule_is_marked_kept_or_broken(changes, reason):
    assert reason in screen(reports.knockout(**changes))


def test_a_specificity_that_was_not_measured_is_not_mentioned():
    unknown = {"effect_without": None, "holds": None}
    assert "the same edit moves" not in screen(reports.knockout(specificity=unknown))


def test_what_moves_elsewhere_is_shown_with_its_interval_and_without_signs():
    told = {
        "effect_without": -0.3,
        "holds": True,
        "ci_without": [-0.5, -0.1],
        "absolute_without": 0.75,
        "n_without": 40,
        "least_without": 20,
        "unit_without": "picture",
    }
    out = screen(reports.knockout(specificity=told), 200)
    assert "moves −0.30 [−0.50, −0.10] nats (at most half as much), 0.75 regardless of sign" in out


@pytest.mark.parametrize(
    ("n", "unit", "sentence"),
    [
        (3, "picture", "only 3 pictures without blue [jay], too few to show that it is specific"),
        (1, "group", "only 1 group without blue [jay], too few to show that it is specific"),
        (0, "picture", "no picture without blue [jay] to show that it is specific"),
    ],
)
def test_too_few_pictures_without_the_class_are_counted_and_the_number_needed_is_said(
    n, unit, sentence
):
    told = {
        "effect_without": -0.3 if n else None,
        "holds": None,
        "n_without": n,
        "least_without": 20,
        "unit_without": unit,
    }
    out = screen(reports.knockout(specificity=told, verdict="inconclusive"), 200)
    assert f"✗ {sentence}: 20 are needed" in out


def test_shares_stand_beside_their_intervals():
    limits = {"from_class": [0.79, 0.95], "to_expected": [0.75, 0.94]}
    lines = screen(reports.knockout(flipped_ci=limits), 200).splitlines()
    (line,) = [one for one in lines if one.startswith("this edit") and "%" in one]
    assert "90.0 %  [79.0 %, 95.0 %]" in line
    assert "87.0 %  [75.0 %, 94.0 %]" in line


def test_an_effect_that_is_no_number_is_shown_as_none():
    out = screen(reports.knockout(effect=None, ci=[None, None], verdict="inconclusive"), 200)
    assert "✗ the effect's 95 % interval [–, –]" in out


def test_the_zero_edit_is_reported_as_it_was():
    assert "bit-equal" in screen(reports.knockout())
    off = reports.knockout(zero_edit={"max_abs_difference": 1e-6})
    assert "moved an output by 1e-06" in screen(off)


def test_single_controls_are_drawn_as_dots_where_they_are_known():
    effects = {"other_latents": [-1.0, -0.5, 0.6]}
    line = next(
        line
        for line in screen(reports.knockout(extras={"control_effects": effects})).splitlines()
        if line.startswith("other latents")
    )
    assert line.count("·") == 3


def drawn(chart, width):
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(chart)
    return stream.getvalue().splitlines()


def test_points_stand_in_order_over_an_axis_with_zero():
    rows = [Row("a", "", -4.0, (-4.5, -3.5)), Row("bb", "note", 1.0, ticks=(2.0,))]
    first, second, rule, labels = drawn(Chart(rows, mark=-2.0), 60)
    zero = first.index("│")
    assert second.index("│") == zero
    assert first.index("●") < first.index("╎") == second.index("╎") < zero
    assert zero < second.index("●") < second.index("·")
    assert first.index("━") < first.index("●") < first.rindex("━")
    assert rule[zero] == "┬"
    assert labels[zero] == "0"
    assert second.endswith("note")


def test_a_chart_in_which_nothing_moved_still_has_an_axis():
    lines = drawn(Chart([Row("a", "", 0.0)]), 60)
    assert "●" in lines[0]
    assert "0" in lines[-1]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_chart_keeps_to_the_terminal(width):
    rows = [Row("random directions", "−3.52 [−3.91, −3.20]", -3.5, (-3.9, -3.2))]
    assert max(map(len, drawn(Chart(rows, mark=-0.4), width))) <= width
