"""Sorting out early, in little memory, changes nothing."""

from dataclasses import fields

import numpy as np
import pytest

from saecli.profiling.encoding import Firings
from saecli.profiling.exemplars import Shortlist
from saecli.profiling.statistics import find_peaks

S, P = 40, 8


def groups(n_groups: int, images_each: int) -> list[Firings]:
    """Random firings, of few levels in the even latents, so that ties abound; latent 5 is rare."""
    rng = np.random.default_rng(0)
    made = []
    for group in range(n_groups):
        f = rng.uniform(1, 30, (images_each, P, S)).astype(np.float32)
        f[:, :, ::2] = np.floor(f[:, :, ::2])
        f *= rng.random((images_each, P, S)) < 0.3
        f[:, :, 5] *= rng.random((images_each, P)) < 0.01
        row, patch, latent = f.nonzero()
        images = np.arange(images_each) + group * images_each
        made.append(Firings(images, P, row, patch, latent, f[row, patch, latent]))
    return made


@pytest.mark.parametrize("most_waiting", [0, 100, 1000])
def test_sorting_out_early_changes_no_exemplar(most_waiting: int):
    plain, bounded = (Shortlist(S, 4, 10, 7, most) for most in (2**30, most_waiting))
    for firings in groups(40, 5):
        peaks = find_peaks(firings, S)
        plain.add(firings, peaks)
        bounded.add(firings, peaks)
    for got, expected in zip(bounded.finish(3, 5, 1), plain.finish(3, 5, 1), strict=True):
        for field in fields(got):
            np.testing.assert_array_equal(getattr(got, field.name), getattr(expected, field.name))


def test_memory_is_that_of_the_survivors():
    shortlist = Shortlist(S, 4, 10, 0, most_waiting=500)
    held = 0
    for firings in groups(300, 5):
        shortlist.add(firings, find_peaks(firings, S))
        held = max(held, sum(len(part.map_patch) for part in shortlist._parts))
    assert held <= 500 + S * (4 + 10) * P + 5 * P * S


def test_random_and_quantile_exemplars_of_frequent_latents_are_other_images():
    shortlist = Shortlist(S, 4, 64, 0)
    for firings in groups(40, 5):
        shortlist.add(firings, find_peaks(firings, S))
    _, quantiles, random, _ = shortlist.finish(8, 5, 2)
    for latent in range(5):
        assert (random.image[latent] >= 0).all()
        assert not set(quantiles.image[latent]) & set(random.image[latent])
