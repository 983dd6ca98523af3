"""Runs of images that several processes take give, put together, the profile of one."""

import pickle

import numpy as np
import pytest
import torch

from saecli.profiling import encoding
from saecli.profiling.parts import gather, share_of, span_size
from saecli.profiling.profiler import ProfileSettings, finish, profile
from tests.profiling.test_profiler import (
    N_IMAGES,
    activations,  # noqa: F401  the fixture
    assert_same,
    batches,
    make_dictionary,
)

SETTINGS = ProfileSettings(n_exemplars=3, n_random=2, n_sample=6, signature_images=20, seed=4)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(encoding, "MOST_IMAGES", 8)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 40])
def test_shares_are_runs_that_cover_the_images_in_order(size):
    dictionary = make_dictionary("topk")
    shares = [share_of(dictionary, N_IMAGES, rank, size) for rank in range(size)]
    assert [image for share in shares for image in share] == list(range(N_IMAGES))
    span = span_size(dictionary, N_IMAGES)
    assert all(share.start % span == 0 for share in shares if share)


@pytest.mark.parametrize("kind", ["topk", "relu"])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_parts_put_together_are_the_whole_bit_for_bit(activations, kind, size):  # noqa: F811
    dictionary = make_dictionary(kind)
    x = activations + 0.1 * torch.rand(
        activations.shape, generator=torch.Generator().manual_seed(1)
    )
    whole = profile(dictionary, batches(x, 7), N_IMAGES, SETTINGS)
    parts = []
    for rank in range(size):
        run = share_of(dictionary, N_IMAGES, rank, size)
        mine = ((run.start + start, b) for start, b in batches(x[run.start : run.stop], 5))
        (part,) = gather([dictionary], mine, N_IMAGES, SETTINGS, run=run)
        parts.append(pickle.loads(pickle.dumps(part)))  # as processes hand it over
    together = finish(parts, SETTINGS)
    assert_same(together, whole)
    assert np.array_equal(together.sum, whole.sum)
