"""Signature images are a uniform draw by the set's size and the seed, found as images come."""

import numpy as np
import pytest

from saecli.profiling.signatures import Signatures, choose_signature_images
from saecli.profiling.statistics import Peaks


def test_signature_images_depend_on_the_size_and_the_seed_alone():
    chosen = choose_signature_images(5000, 2048, seed=1)
    assert len(set(chosen)) == 2048
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, choose_signature_images(5000, 2048, seed=1))
    assert not np.array_equal(chosen, choose_signature_images(5000, 2048, seed=2))
    np.testing.assert_array_equal(choose_signature_images(9, 2048, seed=1), np.arange(9))


def test_every_image_is_drawn_equally_often():
    n_seeds, n_images, size = 2000, 40, 10
    counts = np.zeros(n_images)
    for seed in range(n_seeds):
        counts[choose_signature_images(n_images, size, seed)] += 1
    share = size / n_images
    deviation = (counts - n_seeds * share) / np.sqrt(n_seeds * share * (1 - share))
    assert np.abs(deviation).max() < 4
    assert 0.6 < deviation.std() < 1.4


@pytest.mark.parametrize("group", [1, 7, 50])
@pytest.mark.parametrize("size", [1, 12, 200])
def test_gathering_equals_choosing_afterwards(group: int, size: int):
    n_images, n_latents = 50, 3
    value = np.random.default_rng(0).random((n_images, n_latents)).astype(np.float32)
    value[value < 0.3] = 0
    signatures = Signatures(n_latents, size, n_images + 30, seed=4)
    for start in range(0, n_images, group):
        part = value[start : start + group]
        row, latent = np.nonzero(part)
        signatures.add(
            np.arange(start, start + len(part)),
            Peaks(row, latent, np.zeros_like(row), part[row, latent], row * n_latents + latent),
        )
    images, signature = signatures.finish()
    np.testing.assert_array_equal(images, choose_signature_images(n_images, size, seed=4))
    np.testing.assert_array_equal(signature, value[images].T.astype(np.float16))
