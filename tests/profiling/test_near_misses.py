"""Near misses are what a naive search through all pre-activations finds."""

import numpy as np
import pytest
import torch

from saecli.profiling.profiler import ProfileSettings, profile
from saecli.sae.model import Identity
from tests.profiling.test_profiler import (
    DICTIONARIES,
    N_IMAGES,
    D,
    S,
    activations,  # noqa: F401  the fixture
    batches,
    make_dictionary,
)

N = 5


@pytest.mark.parametrize("kind", DICTIONARIES)
def test_near_misses_are_the_silent_pictures_with_the_largest_preactivations(
    activations,  # noqa: F811
    kind,
):
    dictionary = DICTIONARIES[kind]
    settings = ProfileSettings(n_near_misses=N)
    got = profile(dictionary, batches(activations, 7), N_IMAGES, settings)
    a = dictionary.preactivations(activations).numpy()
    f = dictionary.encode(activations).numpy()
    n_found = n_ties = 0
    for latent in range(S):
        silent = np.flatnonzero((f[:, :, latent] <= 0).all(axis=1))
        nearest = a[:, :, latent].max(axis=1)
        ranked = sorted(silent, key=lambda i: (-nearest[i], i))[:N]
        if (f[:, :, latent] <= 0).all():
            ranked = []  # a latent that never fires misses nothing
        expected = ranked + [-1] * (N - len(ranked))
        np.testing.assert_array_equal(got.near_image[latent], expected)
        patches = [int(a[i, :, latent].argmax()) for i in ranked]
        np.testing.assert_array_equal(got.near_patch[latent, : len(ranked)], patches)
        n_found += len(ranked)
        n_ties += len(ranked) - len({float(nearest[i]) for i in ranked})
    assert n_found > S
    assert n_ties > 5  # the case is there
    assert not got.near_activation.any()


def test_a_grid_whose_patches_make_no_even_blocks_is_searched_whole():
    generator = torch.Generator().manual_seed(2)
    for n_patches in (1, 2, 5, 7, 11):
        identity = Identity("made", "0" * 64, "{}", 0, "patches", D, (1, n_patches))
        dictionary = make_dictionary("jumprelu", identity=identity)
        x = torch.randn(20, n_patches, D, generator=generator)
        got = profile(dictionary, batches(x, 20), 20, ProfileSettings(n_near_misses=20))
        a = dictionary.preactivations(x).numpy()
        f = dictionary.encode(x).numpy()
        for latent in np.flatnonzero((f > 0).any(axis=(0, 1))):
            silent = np.flatnonzero((f[:, :, latent] <= 0).all(axis=1))
            found = got.near_image[latent]
            assert set(found[found >= 0]) == set(silent)
            for image, patch in zip(found, got.near_patch[latent], strict=True):
                if image >= 0:
                    assert patch == a[image, :, latent].argmax()
