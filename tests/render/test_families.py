"""Tables of arms, doses and families, and the picture of a curve."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from saecli import records as r
from saecli.render import colours
from saecli.render.dose_figure import LEFT, TOP, WIDTH, dose_figure
from saecli.render.family_table import family_table
from saecli.render.knockout_table import knockout_table
from tests.render import reports


def screen(shown, width=120):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, color_system=None).print(shown)
    return stream.getvalue()


def dose(amount, effect, pushes, enough=False, changed=None):
    return r.DoseReport(
        value=f"set:{amount:g}",
        amount=amount,
        effect=effect,
        ci=[effect - 0.2, effect + 0.2],
        flipped={"from_class": 0.75, "to_expected": 0.5},
        changed=changed,
        random_directions=r.PushReport(
            len(pushes), float(np.mean(pushes)), pushes, enough, 0.125, changed
        ),
    )


DOSES = [
    dose(-20.0, -4.0, [-3.0, -2.0, 1.0], True),
    dose(0.0, -1.0, [-0.1, 0.0, 0.1]),
    dose(5.0, 2.0, [-0.2, 0.0, 0.4]),
]
ARMS = [
    r.ArmReport("target", "the edit", 1, -3.52, [-3.9, -3.2], {"from_class": 0.9}, None),
    r.ArmReport("own_knockout", "others [own]", 20, 0.03, None, {"from_class": 0.01}, None),
    r.ArmReport("twin", "the copies", 1, -5.1, [-5.4, -4.8], {"from_class": 0.96}, None),
]
CEILING = {"effect": -5.1, "ci": [-5.4, -4.8], "flipped": {"from_class": 0.96}}


def test_every_arm_stands_in_the_chart_with_its_meaning():
    shown = screen(knockout_table(reports.knockout(arms=ARMS)))
    rows = [line for line in shown.splitlines() if line.startswith("own knock-outs")]
    assert "0.03 (20)" in rows[0]
    assert "1.00 %" in rows[1]
    assert "others [own]" in rows[2]
    assert "−5.10 [−5.40, −4.80]" in shown


def test_the_twins_are_a_ceiling_only_where_they_do_something():
    some = CEILING | {"share": 0.43, "share_ci": [0.39, 0.47]}
    shown = screen(knockout_table(reports.knockout(arms=ARMS, ceiling=some)))
    assert "achieves 43.0 % [39.0 %, 47.0 %] of what really changing it does" in shown
    none = CEILING | {"share": None, "share_ci": None}
    shown = screen(knockout_table(reports.knockout(arms=ARMS, ceiling=none)))
    assert "they are no ceiling" in shown


def test_doses_stand_in_a_chart_and_a_table():
    shown = screen(knockout_table(reports.knockout(doses=DOSES)))
    rows = [line for line in shown.splitlines() if line.strip().startswith("−20 ×")]
    assert "−4.00 [−4.20, −3.80]" in rows[0]
    assert rows[0].count("·") == 3
    assert " ".join(rows[1].split()) == "−20 × 75.0 % 50.0 % 12.5 % yes"
    assert "yes" not in next(
        line for line in shown.splitlines()[::-1] if line.strip().startswith("5 ×")
    )
    assert "Dose and response" not in screen(knockout_table(reports.knockout()))


def test_doses_of_a_segmentation_tell_of_both_kinds_of_patches():
    changed = {"target": 0.6, "other": 0.05}
    doses = [replace(one, changed=changed) for one in DOSES]
    doses = [
        replace(one, random_directions=replace(one.random_directions, changed=changed))
        for one in doses
    ]
    report = reports.knockout(doses=doses, changed=changed, expect=None)
    row = screen(knockout_table(report)).splitlines()
    (last,) = [line for line in row if line.strip().startswith("5 ×") and "/" in line]
    assert "60.0 % / 5.00 %" in last


def test_the_curve_goes_through_its_points():
    figure = dose_figure(reports.knockout(doses=DOSES), title="a curve")
    pixels = np.asarray(figure).astype(int)
    near = (np.abs(pixels - colours.AFTER).sum(axis=-1) < 30)[TOP:370]
    heights = []
    for x in (LEFT, LEFT + WIDTH):  # the first dose and the last one
        column = np.flatnonzero(near[:, x - 2 : x + 3].any(axis=1))
        heights.append(float(column.mean()))
    assert heights[0] > heights[1]  # −4 lies below 2
    grey = (np.abs(pixels - colours.QUIET).sum(axis=-1) < 30).sum()
    assert grey > 300  # the random directions' line and dots


def test_a_flat_curve_can_be_drawn():
    still = [dose(-1.0, 0.0, [0.0]), dose(1.0, 0.0, [0.0])]
    flat = [replace(one, ci=[0.0, 0.0]) for one in still]
    report = reports.knockout(doses=flat, smallest_effect=0.0)
    assert dose_figure(report).width > WIDTH


def family(**changes):
    place = r.FamilyPlace(2, [12, 13], 0.04, 0.03)
    first = reports.knockout(family=place)
    second = reports.knockout(
        experiment=13, latents=["clip:3"], registered=False, verdict="refuted",
        family=replace(place, holm_p=0.5, bh_p=0.4),
        extras={"reasons": ["controls_do_as_much", "not_specific"]},
    )  # fmt: skip
    fields = {
        "plan": "[my] plan.toml",
        "size": 2,
        "alpha": 0.05,
        "controls": 99,
        "verdicts": {"supported": 1, "refuted": 1},
        "experiments": [first, second],
        "protocol": None,
        "choices": [],
    }
    return r.FamilyReport(**(fields | changes))


def test_a_family_has_a_row_for_each_hypothesis():
    shown = screen(family_table(family()), 160)
    assert "[my] plan.toml" in shown
    assert "2 tested together · 1 supported, 1 refuted · 99 controls of each kind" in shown
    assert "all set to 0 where they fire" in shown
    assert "ablate" not in shown
    (row,) = [line for line in shown.splitlines() if " clip:3 " in line]
    for cell in ("13", "−3.52", "[−3.91, −3.20]", "0.010", "0.500", "0.400", "refuted"):
        assert cell in row
    wide = screen(family_table(family()), 240)
    assert "refuted (exploratory): controls do as much, not specific" in wide
    assert "saecli show experiment:12" in " ".join(shown.split())


def test_edits_that_differ_have_a_column():
    first, second = family().experiments
    shown = screen(family_table(family(experiments=[first, replace(second, scope="all")])), 160)
    assert "all set" not in shown
    assert "ablate, all" in shown


def test_a_family_s_experiment_says_by_which_p_it_was_judged():
    shown = " ".join(screen(knockout_table(family().experiments[1]), 160).split())
    assert "✗ p = 0.010, 0.500 by Holm for 2 hypotheses (0.400 by Benjamini–Hochberg)," in shown


@pytest.mark.parametrize("width", [80, 160])
def test_the_segmentation_table(width):
    arms = [r.ProtocolArm("random_vector", 99, 0.01, 0.02), r.ProtocolArm("manual", 1, 0.9, None)]
    classes = [r.ProtocolClass(name, arms) for name in ("[sand]", "reef")]
    protocol = r.Protocol(classes, arms, arms)
    choices = [{"class": "[sky]", "latents": ["clip:3"], "f1": [0.71], "n_images": 1200}]
    shown = screen(family_table(family(protocol=protocol, choices=choices)), width)
    for words in ("[sand]", "1.00 % / 2.00 %", "90.0 % / –", "mean of classes", "0.71", "1,200"):
        assert words in shown
    assert "automatic" not in shown


def _segmentation(*classes, n):
    arms = [r.ProtocolArm("random_vector", n, 0.01, 0.02), r.ProtocolArm("manual", 1, 0.9, 0.1)]
    told = r.Protocol([r.ProtocolClass(name, arms) for name in classes], arms, arms)
    return screen(family_table(family(protocol=told)), 160)


def test_means_over_several_edits_are_called_so():
    shown = _segmentation("sand", "reef", n=198)
    assert shown.count("mean over 198 edits") == 4  # two classes, all patches, mean of classes
    assert "of several edits, each with its own size, the mean stands" in shown
    assert "edits" not in _segmentation("sand", "reef", n=1).replace("details", "")


def test_a_single_class_is_not_repeated_as_the_whole():
    both, one = _segmentation("sand", "reef", n=2), _segmentation("sand", n=2)
    for words in ("all patches", "mean of classes"):
        assert words in both
        assert words not in one
    assert one.count("1.00 % / 2.00 %") == 1


def test_a_margin_that_rises_is_not_called_an_effect_that_is_too_small():
    def told(ci):
        one = reports.knockout(
            ci=ci, verdict="refuted", extras={"reasons": ["effect_below_smallest"]}
        )
        report = r.FamilyReport("p.toml", 1, 0.05, 99, {"refuted": 1}, [one], None, [])
        return " ".join(screen(family_table(report), 200).split())

    assert "refuted: the margin rises" in told([0.2, 0.9])
    assert "refuted: effect too small" in told([-0.2, 0.9])
