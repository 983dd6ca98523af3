"""Patches are numbered row-major from 0 and tile the view exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saecli.errors import SaecliError
from saecli.grid import Grid

grids = st.builds(Grid, st.integers(1, 40), st.integers(1, 40))


@given(grids)
def test_positions_count_along_rows(grid):
    assert [grid.position(p) for p in range(grid.n_patches)] == [
        (row, column) for row in range(grid.rows) for column in range(grid.columns)
    ]


@given(grids)
def test_boxes_tile_the_view(grid):
    view = (10.0, 20.0, 110.0, 70.0)
    boxes = [grid.box(p, view) for p in range(grid.n_patches)]
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    assert area == pytest.approx(100 * 50)
    assert boxes[0][:2] == view[:2]
    assert boxes[-1][2:] == pytest.approx(view[2:])


def test_a_patch_beyond_the_grid_is_named_with_the_last_that_is_on_it():
    grid = Grid(14, 14)
    assert grid.check([0, 195]) == (0, 195)
    with pytest.raises(SaecliError, match=r"patch 196 is beyond the 14×14 grid.*from 0 to 195"):
        grid.check([3, 196])
