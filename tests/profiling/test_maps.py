"""Patch maps keep every active patch and its share of the map's largest activation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from saecli.profiling.maps import to_levels


def test_no_active_patch_vanishes():
    value = np.array([1e-6, 0.1, 50, 100], dtype=np.float32)
    np.testing.assert_array_equal(to_levels(value, np.full(4, 100, np.float32)), [1, 1, 128, 255])


@given(st.lists(st.floats(2**-20, 2**20, width=32), min_size=1, max_size=30))
def test_levels_are_within_half_a_step_or_the_lowest(values: list[float]):
    value = np.array(values, dtype=np.float32)
    levels = to_levels(value, np.full(len(value), value.max()))
    share = value / value.max()
    assert levels.max() == 255
    assert (np.abs(levels / 255 - share)[levels > 1] <= 0.5001 / 255).all()
    assert (share[levels == 1] <= 1.5001 / 255).all()
