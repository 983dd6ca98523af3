"""Which pictures the figure of a segmentation experiment shows."""

from pathlib import Path

import pytest

from saecli.images.sources import ImageFile
from saecli.workflows.segmented import spread

FILES = [ImageFile(Path(f"{i}.png"), f"{i}.png", None) for i in range(100)]


@pytest.mark.parametrize("n", [1, 3, 4, 7])
def test_they_are_spread_over_the_whole_set_in_its_order(n):
    places = [FILES.index(file) for file in spread(FILES, n)]
    steps = [b - a for a, b in zip(places, [*places[1:], 100], strict=True)]
    assert places[0] == 0
    assert len(places) == n
    assert max(steps) - min(steps) <= 1


def test_a_small_set_is_shown_whole_and_an_empty_one_not_at_all():
    assert spread(FILES[:3], 4) == FILES[:3]
    assert spread([], 4) == []
