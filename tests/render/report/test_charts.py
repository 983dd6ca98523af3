"""The charts of a report: every figure stands where its axis says."""

import re
from dataclasses import replace
from math import log

import pytest

from saecli.records import DoseReport, PushReport
from saecli.render.report.charts import dose_plots, effect_strips, histogram_plot
from saecli.render.report.drawing import Canvas, ticks
from tests.render import reports


def points(drawing: str, kind: str) -> list[tuple[float, float]]:
    """Where the dots of a kind lie, in the drawing's units."""
    found = re.findall(rf'class="dot {kind}" d="M([\d.-]+) ([\d.-]+)h', drawing)
    return [(float(x), float(y)) for x, y in found]


def test_a_canvas_puts_values_where_its_axes_say():
    canvas = Canvas((-10, 10), (0, 4), 200, "w")
    canvas.dot((0, 4), "a")
    canvas.dot((-10, 0), "a")
    canvas.dot((5, 1), "a")
    assert points(canvas.svg(), "a") == [(500, 0), (0, 200), (750, 150)]
    assert canvas.left(5) == 75


@pytest.mark.parametrize(("low", "high"), [(-17.3, 2.1), (0.0, 1.0), (3.0, 3.0), (-0.02, 0.013)])
def test_ticks_are_round_and_lie_within(low, high):
    found = ticks(low, high)
    assert found == sorted(found)
    assert all(low - 1e-9 <= one <= high + 1e-9 for one in found)
    assert 1 <= len(found) <= 11


def test_a_histogram_s_bars_are_as_high_as_their_counts():
    edges = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
    plot = histogram_plot({"counts": [0, 1, 5, 3, 0], "edges": edges})
    bars = re.findall(r'class="bar" d="M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)H', plot.drawing)
    heights = [float(bottom) - float(top) for _, bottom, _, top in bars]
    assert [round(5 * one / plot.height, 2) for one in heights] == [1, 5, 3]
    last = float(bars[-1][2])  # right edge, 8 % short of the bin's
    assert last == pytest.approx(1000 * (log(4) - 0.08 * log(2) - log(0.5)) / log(8), abs=0.1)
    assert [mark.words for mark in plot.below if mark.at in (0.0, 100.0)] == ["0.5", "4"]


@pytest.mark.parametrize(
    "found",
    [
        None,
        {"counts": [], "edges": []},
        {"counts": [0, 0], "edges": [1.0, 2.0, 3.0]},
        {"counts": [1], "edges": [1.0]},
    ],
)
def test_a_histogram_of_nothing_is_none(found):
    assert histogram_plot(found) is None


def test_all_strips_share_one_axis_and_show_every_control():
    effects = {"other_latents": [-0.5, 0.25, 0.5], "random_directions": [0.0, 0.1]}
    report = reports.knockout(extras={"control_effects": effects})
    strips = effect_strips(report)
    where = {}
    for strip in strips.rows:
        for x, _ in points(strip.drawing, "single"):
            where.setdefault(strip.name, []).append(x)
    assert len(where["other latents"]) == 3
    assert len(where["random directions"]) == 2
    (target,) = points(strips.rows[0].drawing, "tested")
    scale = (where["other latents"][2] - where["other latents"][0]) / 1.0
    expected = where["random directions"][0] + scale * report.effect
    assert target[0] == pytest.approx(expected, abs=0.5)


def dose(amount, effect):
    push = PushReport(2, 0.0, [-0.5, 0.5], False, 0.25, None)
    flipped = {"from_class": 0.5, "to_expected": None}
    return DoseReport(
        f"set:{amount}", amount, effect, [effect - 1, effect + 1], flipped, None, push
    )


def test_doses_stand_in_order_with_their_pushes_and_shares():
    report = replace(reports.knockout(), doses=[dose(-2, -8.0), dose(0, -4.0), dose(2, 3.0)])
    upper, lower = dose_plots(report)
    own = points(upper.drawing, "tested")
    assert [x for x, _ in own] == [0, 500, 1000]
    assert own[0][1] > own[1][1] > own[2][1], "a lower effect lies lower"
    assert len(points(upper.drawing, "single")) == 6
    assert [mark.words for mark in upper.below] == ["−2", "0", "2"]
    assert len({y for _, y in points(lower.drawing, "tested")}) == 1
    pushed = points(lower.drawing, "control")[0][1]
    assert pushed > points(lower.drawing, "tested")[0][1], "a quarter lies below a half"


def test_an_experiment_without_doses_has_no_curve():
    assert dose_plots(replace(reports.knockout(), doses=None)) is None
