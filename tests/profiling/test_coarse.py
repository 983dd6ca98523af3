"""Coarse maps are the cells' mean activations on the signature's images."""

import numpy as np
import pytest

from saecli.grid import CoarseMaps
from saecli.profiling.coarse import CoarseGathering, cells
from saecli.profiling.encoding import Firings
from saecli.profiling.signatures import choose_signature_images

N, ROWS, COLUMNS, S, SIDE = 40, 5, 6, 3, 2


def firings(value: np.ndarray, images: np.ndarray) -> Firings:
    row, patch, latent = np.nonzero(value[images])
    return Firings(images, ROWS * COLUMNS, row, patch, latent, value[images][row, patch, latent])


def dense(maps: CoarseMaps) -> np.ndarray:
    """(S, M, C) float16."""
    n = len(maps.start) - 1
    found = np.zeros((n, len(maps.images) * maps.n_cells), dtype=np.float16)
    latent = np.repeat(np.arange(n), np.diff(maps.start))
    found[latent, maps.column] = maps.value
    return found.reshape(n, len(maps.images), maps.n_cells)


@pytest.fixture(scope="module")
def value() -> np.ndarray:
    """(N, P, S) float32 activations."""
    rng = np.random.default_rng(0)
    shape = (N, ROWS * COLUMNS, S)
    return (rng.random(shape) * (rng.random(shape) < 0.3)).astype(np.float32)


@pytest.mark.parametrize("group", [1, 7, N])
@pytest.mark.parametrize("size", [12, 100])
def test_they_are_means_over_the_patches_of_each_cell(value: np.ndarray, group: int, size: int):
    gathering = CoarseGathering(S, (ROWS, COLUMNS), size, SIDE, seed=3)
    for start in range(0, N, group):
        gathering.add(firings(value, np.arange(start, min(start + group, N))))
    maps = gathering.finish()
    np.testing.assert_array_equal(maps.images, choose_signature_images(N, size, seed=3))
    grid = value.reshape(N, ROWS, COLUMNS, S)[maps.images]
    # the middle row's centre lies in the lower half, the columns halve evenly
    parts = [grid[:, :2, :3], grid[:, :2, 3:], grid[:, 2:, :3], grid[:, 2:, 3:]]
    expected = np.stack([part.mean(axis=(1, 2), dtype=np.float64) for part in parts], axis=-1)
    np.testing.assert_allclose(dense(maps), expected.transpose(1, 0, 2), atol=5e-4)
    ascending = np.diff(maps.column.astype(int)) > 0
    ascending[maps.start[1:-1] - 1] = True  # from one latent to the next
    assert ascending.all()


def test_a_bound_on_memory_halves_the_images_and_keeps_nested_ones(value: np.ndarray):
    value = np.tile(value, (5, 1, 1))
    whole = CoarseGathering(S, (ROWS, COLUMNS), 160, SIDE, seed=3)
    bounded = CoarseGathering(S, (ROWS, COLUMNS), 160, SIDE, seed=3, most_entries=1200)
    for gathering in (whole, bounded):
        for start in range(0, len(value), 20):
            gathering.add(firings(value, np.arange(start, start + 20)))
    few, many = bounded.finish(), whole.finish()
    assert len(few.value) <= 1200 < len(many.value)
    np.testing.assert_array_equal(few.images, choose_signature_images(len(value), 80, seed=3))
    kept = np.isin(many.images, few.images)
    np.testing.assert_array_equal(dense(few), dense(many)[:, kept])


def test_a_picture_on_which_nothing_fires_counts(value: np.ndarray):
    gathering = CoarseGathering(S, (ROWS, COLUMNS), 10, SIDE, seed=0)
    gathering.add(firings(np.zeros_like(value), np.arange(4)))
    maps = gathering.finish()
    assert (len(maps.images), len(maps.value)) == (4, 0)


def test_cells_of_grids_of_any_size_cover_the_same_parts_of_the_picture():
    assert cells((2, 2), 2).tolist() == [0, 1, 2, 3]
    assert cells((1, 1), 3).tolist() == [4]
    fine = cells((16, 16), 4).reshape(16, 16)
    assert (fine == np.arange(16).reshape(4, 4).repeat(4, axis=0).repeat(4, axis=1)).all()
    assert np.bincount(cells((14, 14), 4)).tolist() == [
        a * b for a in (3, 4, 3, 4) for b in (3, 4, 3, 4)
    ]
