"""The segmentation table, against counts added up by hand."""

import math

import numpy as np

from saecli.experiments.protocol import Changed, macro
from saecli.experiments.results import Results

ROWS = (("baseline", 0), ("target", 0), ("random_directions", 0), ("random_directions", 1))


def results_of(changed_target, changed_other, n_target, n_other):
    return Results(
        ROWS,
        {
            "changed_target": np.array(changed_target, dtype=np.int32),
            "changed_other": np.array(changed_other, dtype=np.int32),
            "n_target": np.array(n_target, dtype=np.int32)[:, None],
            "n_other": np.array(n_other, dtype=np.int32)[:, None],
        },
    )


SAND = results_of([[0, 8, 1, 0], [0, 2, 0, 3]], [[0, 1, 0, 0], [0, 0, 2, 2]], [10, 5], [6, 11])
SKY = results_of([[0, 1, 0, 0]], [[0, 0, 0, 0]], [100], [0])


def test_shares_are_over_patches_and_over_all_arms_of_a_kind():
    assert Changed.of(SAND, "target") == Changed(1, 10, 15, 1, 17)
    assert Changed.of(SAND, "target").shares == (10 / 15, 1 / 17)
    assert Changed.of(SAND, "random_directions") == Changed(2, 4, 30, 4, 34)


def test_micro_adds_patches_and_macro_averages_classes():
    parts = [Changed.of(SAND, "target"), Changed.of(SKY, "target")]
    assert Changed.together(parts).shares == (11 / 115, 1 / 17)
    assert macro(parts) == ((10 / 15 + 1 / 100) / 2, 1 / 17)  # sky has no other patches


def test_nothing_gives_no_share():
    assert all(math.isnan(share) for share in Changed.together([]).shares)
    assert all(math.isnan(share) for share in macro([]))
    assert Changed.of(SAND, "twin").edits == 0
