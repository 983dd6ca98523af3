"""The frontier: what no other dictionary beats in sparsity or in what it explains."""

import itertools
import random

from saecli.catalog.frontier import pareto


def test_only_what_is_beaten_is_off_the_frontier():
    points = [(8, 0.80), (8, 0.70), (16, 0.80), (16, 0.85), (32, 0.84), (4, 0.10)]
    assert pareto(points) == [True, False, False, True, False, True]


def test_equals_do_not_beat_one_another():
    assert pareto([(8, 0.8), (8, 0.8)]) == [True, True]


def test_the_frontier_climbs_and_all_else_lies_below_it():
    random.seed(0)
    points = [(random.randint(1, 40), random.random()) for _ in range(200)]
    best = sorted(point for point, on in zip(points, pareto(points), strict=True) if on)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(best))
    for l0, explained in points:
        assert any(a <= l0 and b >= explained for a, b in best)
