"""Deadness: a running window over patches."""

import torch

from saecli.sae.activity import Activity


def test_dead_is_a_window_over_patches_that_nothing_resets():
    """Against a plain record of every batch: not active in the last W patches."""
    generator = torch.Generator().manual_seed(0)
    activity, window, size, record = Activity(30), 50, 10, []
    for _ in range(40):
        fired = torch.rand(30, generator=generator) < 0.15
        activity.update(fired, size)
        record.append(fired)
        recent = torch.stack(record[-window // size :])
        assert activity.dead_fraction(window) == float((~recent.any(dim=0)).double().mean())


def test_before_the_window_is_full_all_seen_patches_count():
    activity = Activity(4)
    activity.update(torch.tensor([True, False, False, False]), 10)
    assert activity.dead_fraction(10_000_000) == 0.75
    activity.update(torch.tensor([False, True, False, False]), 10)
    assert activity.dead_fraction(10_000_000) == 0.5


def test_unused_needs_as_many_patches_as_asked_for():
    activity = Activity(2)
    activity.update(torch.tensor([True, False]), 10)
    assert activity.unused(11).tolist() == [False, False]
    assert activity.unused(10).tolist() == [False, True]
