"""The frontier's table and picture."""

import io

import numpy as np
import pytest
from rich.console import Console

from saecli.records import FrontierDictionary, FrontierGroup, FrontierReport
from saecli.render import colours
from saecli.render.frontier import _ticks, frontier_picture, frontier_table


def shown(renderable) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


GROUP = FrontierGroup(
    "clip:[x]",
    10,
    "birds",
    False,
    [
        FrontierDictionary("clip-k8", 512, "topk", 8.0, 0.8, 0.01, True),
        FrontierDictionary("clip-relu", 512, "relu", 12.5, 0.7, None, False),
        FrontierDictionary("clip-k32", 512, "topk", 31.9, 0.9, 0.0, True),
    ],
)
ONE = FrontierGroup("clip", 3, None, True, [GROUP.dictionaries[0]])


def test_the_table_marks_the_frontier_and_names_the_group():
    text = shown(frontier_table(FrontierReport([GROUP, ONE], None)))
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "clip:[x], layer 10, birds" in text
    assert "clip (untrained), layer 3" in text
    assert "frontier" in lines["clip-k32"]
    assert "frontier" not in lines["clip-relu"]
    assert "31.9" in lines["clip-k32"]


def test_an_empty_catalog_says_how_to_fill_it():
    assert "saecli train" in shown(frontier_table(FrontierReport([], None)))


def test_the_picture_has_a_panel_for_each_group_with_its_points():
    pixels = np.asarray(frontier_picture([GROUP, ONE]))
    assert pixels.shape == (920, 900, 3)
    for panel, n_others in ((pixels[:460], 1), (pixels[460:], 0)):
        assert (panel == colours.AFTER).all(axis=2).sum() > 80
        assert ((panel == colours.BEFORE).all(axis=2).sum() > 80) == bool(n_others)


@pytest.mark.parametrize(
    "values", [[8.0], [0.0], [0.79, 0.81], [8, 32, 64], [0.91231, 0.91232], [-3.0, 0.5]]
)
def test_ticks_are_round_and_span_the_values(values):
    ticks = _ticks(values)
    assert ticks[0] <= min(values) <= max(values) <= ticks[-1]
    assert 2 <= len(ticks) <= 8
