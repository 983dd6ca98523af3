"""Hypotheses and experiments on the screen: whole, with text as it is, registered or not."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from saecli import records as r
from saecli.render.experiment_tables import (
    experiments_table,
    hypotheses_table,
    hypothesis_table,
    rerun_table,
    show_experiment_table,
    show_hypothesis_table,
)
from tests.render import reports

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
LABELS = {"clip:12": reports.BRACKETS}
PLAN = {
    "concept": {"dictionary": "clip", "latents": [12]},
    "class_name": "blue [jay]",
    "rule": {"alpha": 0.05, "family": 1},
    "masks": None,
    "digests": {"pictures": "a" * 64, "masks": None},
}
STATED = r.HypothesisReport(4, "f" * 64, "[it] makes it a jay", True, 3, ["clip:12"], 57, 2)
ROW = r.HypothesisRow(
    4, "[it] makes it a jay", False, 3, ["clip:12"], LABELS, "blue [jay]", None, WHEN,
    {11: "refuted", 12: None},
)  # fmt: skip
SUMMARY = r.ExperimentSummary(
    12, 4, False, "supported", ["clip:12"], LABELS, "blue [jay]", "wren", "ablate", 57,
    -3.52, [-3.91, -3.2], 0.01, 11, WHEN,
)  # fmt: skip
HYPOTHESIS = r.ShowHypothesisReport(
    4, "f" * 64, "[it] makes it a jay", True, 3, [5, 6], ["clip:12"], LABELS, "species", PLAN,
    WHEN, "hypothesis add", [SUMMARY], [13],
)  # fmt: skip
EXPERIMENT = r.ShowExperimentReport(
    12, ROW, "f" * 64, PLAN, 0, WHEN, "knockout", "supported",
    json.loads(json.dumps(r.as_json(reports.knockout(registered=False, labels=LABELS)))),
    [r.ShownArm("target", 0, {}, -3.5), r.ShownArm("own_knockout", 0, {}, -0.25),
     r.ShownArm("own_knockout", 1, {}, 0.75)],
    [r.ShownTrial(reports.image(1), True, 4.0, 0.5),
     r.ShownTrial(reports.image(2), None, None, None),
     r.ShownTrial(reports.image(3), False, 1.0, -8.0)],
    None, [14],
)  # fmt: skip
RERUN = r.RerunReport(12, 14, True, "supported", 57, 221)
DIFFERENCE = r.Difference("margin", reports.image(1), "target 0", 3, 0.5, 0.75)

CASES = {
    "stated": (
        hypothesis_table,
        STATED,
        ["[it] makes it a jay", "registered", "57 pictures", "replaces hypothesis 3",
         "saecli knockout --hypothesis 4"],
    ),
    "hypotheses": (
        hypotheses_table,
        r.HypothesisList([ROW]),
        ["[it] makes it a jay", "exploratory", "11 refuted, 12 unfinished", reports.BRACKETS],
    ),
    "no hypotheses": (hypotheses_table, r.HypothesisList([]), ["saecli hypothesis add"]),
    "experiments": (
        experiments_table,
        r.ExperimentList([SUMMARY]),
        ["blue [jay] → wren", "−3.52", "[−3.91, −3.20]", "supported (reruns 11)", "exploratory",
         reports.BRACKETS],
    ),
    "a registered claim that was tested before, among others": (
        experiments_table,
        r.ExperimentList([replace(SUMMARY, registered=True, replaces=3, holm_p=0.06)]),
        ["registered (replaces hypothesis 3)", "0.010 (0.060)", "p by Holm"],
    ),
    "no experiments": (experiments_table, r.ExperimentList([]), ["No experiment"]),
    "hypothesis": (
        show_hypothesis_table,
        HYPOTHESIS,
        ["replaced by hypothesis 5, 6", "unfinished: experiment 13", "alpha 0.05, family 1",
         "pictures aaaaaaaaaaaa…", "f" * 64, "stated 2026-01-02 03:04 UTC"],
    ),
    "experiment": (
        show_experiment_table,
        EXPERIMENT,
        ["exploratory: stated by the run itself", "clip:12 “[bold]wing[/bold]”", "own knockout",
         "0.25", "2 of 3 run", "without", "run again as experiment 14"],
    ),
    "unfinished": (
        show_experiment_table,
        replace(EXPERIMENT, verdict=None, report=None),
        ["experiment 12", "unfinished", "exploratory"],
    ),
    "identical": (rerun_table, RERUN, ["identical", "57 pictures under 221 arms"]),
    "differs": (
        rerun_table,
        replace(RERUN, identical=False, differences=[DIFFERENCE] * 25),
        ["25 differ", "target 0", "0.5", "0.75", "0.25", "and 5 more"],
    ),
}  # fmt: skip


def screen(table, report, width=120):
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, color_system=None)
    console.print(table(report))
    return stream.getvalue()


@pytest.mark.parametrize("case", CASES)
def test_the_screen_shows_it(case):
    table, report, shown = CASES[case]
    out = screen(table, report, width=160)
    for words in shown:
        assert words in out, words


@pytest.mark.parametrize("case", CASES)
def test_a_narrow_terminal_shows_it_too(case):
    table, report, _ = CASES[case]
    assert screen(table, report, width=60)


def test_doses_are_not_averaged_over_one_another():
    told = {"latents": [12], "scope": "active"}
    arms = [r.ShownArm("target", 0, told | {"value": "ablate"}, -3.5)]
    for i, (value, effect, pushes) in enumerate(
        [("set:-2", -20.0, (-1.0, 3.0)), ("set:5", 9.0, (0.5, 0.75))]
    ):
        arms.append(r.ShownArm("dose", i, told | {"value": value}, effect))
        arms += [r.ShownArm("dose_push", 2 * i + j, {}, push) for j, push in enumerate(pushes)]
    rows = [
        " ".join(line.split())
        for line in screen(show_experiment_table, replace(EXPERIMENT, arms=arms), 160).splitlines()
        if line.startswith("dose")
    ]
    where = "times their largest activation where they fire"
    assert rows == [
        f"dose to −2 {where} 1 −20.00 −20.00 −20.00",
        f"dose push (random) to −2 {where} 2 1.00 −1.00 3.00",
        f"dose to 5 {where} 1 9.00 9.00 9.00",
        f"dose push (random) to 5 {where} 2 0.62 0.50 0.75",
    ]
