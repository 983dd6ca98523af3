"""Every report has a table that shows its figures, whole references, and text as it is."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from saecli.records import as_json
from saecli.render.evidence_tables import attribute_table, compare_table, detect_table
from saecli.render.finding_tables import found_table, report_table, similar_table
from saecli.render.knockout_table import knockout_table
from saecli.render.latent_tables import dictionary_table, inspect_table, show_table
from saecli.render.tables import (
    demo_table,
    export_table,
    label_table,
    list_table,
    probe_table,
    profile_table,
    train_table,
)
from tests.render import reports

CASES = {
    "train": (train_table, reports.TRAIN, ["0.871", "8.0", "0.39 %", "2.40M", "2:23 min"]),
    "profile": (profile_table, reports.PROFILE, ["784,000 patches", "508 of 512", "4 silent"]),
    "probe": (probe_table, reports.PROBE, ["accuracy 93.0 %", "2 classes: ants, [bees]"]),
    "grid probe": (
        probe_table,
        reports.GRID_PROBE,
        ["mean IoU 0.712", "learning rate 0.003, weight decay 0.01, chosen from 20 heads"],
    ),
    "unscored": (probe_table, reports.UNSCORED, ["not scored", "2 classes: a, b"]),
    "list": (list_table, reports.LIST, ["dinov2-small-of-photos *", "zero-shot", "unfinished"]),
    "empty list": (list_table, reports.EMPTY_LIST, ["saecli train"]),
    "inspect": (inspect_table, reports.INSPECT, ["3, 4, 17–19", "18.30", "1.23 %", "sheet.png"]),
    "explained": (
        inspect_table,
        reports.EXPLAINED,
        [
            "blue [jay] over [nutcracker]",
            "−0.841",
            "−0.944",
            "0.94 over 64",
            "of 122",
            "ranks 30 of 122",
        ],
    ),
    "show": (show_table, reports.SHOW, ["1.23 %", "superseded", "[sure]", "[0.71, 0.84]"]),
    "unprofiled": (show_table, reports.UNPROFILED, ["clip:12", "not profiled yet"]),
    "dictionary": (dictionary_table, reports.SHOW_DICTIONARY, ["16×16 grid", "--images [set]"]),
    "label": (label_table, reports.LABEL, ["clip:12", reports.BRACKETS]),
    "search": (found_table, reports.FOUND, ["clip:12", reports.BRACKETS, "0.921", "1–2 of 7"]),
    "nothing found": (found_table, reports.NOTHING_FOUND, ["[wing]"]),
    "similar": (similar_table, reports.SIMILAR, ["clip:40", "0.81", "0.37", "−0.12", "–"]),
    "page": (report_table, reports.WRITTEN, ["[page].html", "2 latents", "1 experiment", "12 kB"]),
    "compare": (compare_table, reports.COMPARE, ["0.78", "Counterpart: dinov2:33", "0.44"]),
    "no counterpart": (compare_table, reports.NO_COUNTERPART, ["No counterpart: ", "too weak"]),
    "detect": (detect_table, reports.DETECT, ["blue [wing]", "0.86", "does not exceed"]),
    "attribute": (attribute_table, reports.ATTRIBUTE, ["0.900", "−0.100", "93.0 %"]),
    "export": (export_table, reports.EXPORT, ["[clip].safetensors", "0123456789abcdef"]),
    "demo": (demo_table, reports.DEMO, ["100 pictures in [demo]", "wing grey"]),
    "knockout": (knockout_table, reports.knockout(), ["supported", "−3.52 [−3.91, −3.20]"]),
    "segmentation": (knockout_table, reports.SEGMENTATION, ["88.0 %", "4.00 %", "of blue [jay]"]),
}


def printed(renderable, width):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, color_system=None).print(renderable)
    return stream.getvalue()


@pytest.mark.parametrize("name", CASES)
def test_a_report_shows_its_figures_and_leaves_brackets_alone(name):
    table, report, words = CASES[name]
    text = printed(table(report), 200)
    for word in words:
        assert word in text


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", CASES)
def test_a_table_keeps_to_the_terminal_and_never_cuts_a_reference(name, width):
    table, report, _ = CASES[name]
    text = printed(table(report), width)
    assert max(map(len, text.splitlines())) <= width
    for reference in references(as_json(report)):
        assert reference in text


def references(values):
    """What stands under `ref` anywhere in a report."""
    if isinstance(values, dict):
        found = {values["ref"]} if isinstance(values.get("ref"), str) else set()
        return found.union(*map(references, values.values()))
    return set().union(*map(references, values)) if isinstance(values, list) else set()


def test_a_default_dictionary_is_marked_and_the_mark_explained():
    text = printed(list_table(reports.LIST), 100)
    assert "* the default" in text
    assert "default" not in printed(list_table(reports.EMPTY_LIST), 100)


def test_the_whole_picture_is_named_as_such():
    whole = replace(reports.INSPECT, patches=list(range(196)))
    assert "the whole picture (14×14 patches)" in printed(inspect_table(whole), 100)
    one = replace(reports.INSPECT, patches=[7])
    assert "patch 7 of the 14×14 grid" in printed(inspect_table(one), 100)


def test_the_training_history_always_ends_with_its_last_point():
    text = printed(dictionary_table(reports.SHOW_DICTIONARY), 100)
    assert "2.40M" in text


def test_long_lists_of_exemplars_say_how_many_more_there_are():
    assert "and 8 more" in printed(show_table(reports.SHOW), 100)
