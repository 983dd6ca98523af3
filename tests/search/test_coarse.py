"""Sparse maps correlate as dense ones do, and permute by whole images."""

import numpy as np
import pytest

from saecli.grid import CoarseMaps
from saecli.search.coarse import CoarseIndex
from saecli.search.null import permutations

M, C, S = 30, 4, 12


def sparse_maps(dense: np.ndarray, images: np.ndarray | None = None) -> CoarseMaps:
    """(S, M, C) as the catalog keeps it."""
    rows = dense.reshape(len(dense), -1).astype(np.float16)
    latent, column = np.nonzero(rows)
    return CoarseMaps(
        images=np.arange(dense.shape[1]) if images is None else images,
        n_cells=dense.shape[2],
        start=np.searchsorted(latent, np.arange(len(dense) + 1)),
        column=column.astype(np.uint16),
        value=rows[latent, column],
    )


def noise(seed: int, n_latents: int = S) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (n_latents, M, C)
    return (rng.gamma(2, 1, shape) * (rng.random(shape) < 0.2)).astype(np.float16)


@pytest.fixture
def both() -> tuple[np.ndarray, np.ndarray]:
    source, target = noise(0), noise(1)
    target[5] = 0  # never fires
    target[6] = 3  # fires alike everywhere
    return source, target


def test_r_is_that_of_all_cells_of_all_images(both: tuple[np.ndarray, np.ndarray]):
    source, target = both
    got = CoarseIndex(sparse_maps(target)).correlate(
        CoarseIndex(sparse_maps(source)), np.array([3, 0])
    )
    assert (got[:, [5, 6]] == 0).all()
    for row, latent in zip(got, (3, 0), strict=True):
        for other in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11):
            expected = np.corrcoef(
                source[latent].ravel().astype(float), target[other].ravel().astype(float)
            )[0, 1]
            assert row[other] == pytest.approx(expected, abs=1e-12)


def test_large_activations_correlate_as_small_ones(both: tuple[np.ndarray, np.ndarray]):
    source, target = both
    plain = CoarseIndex(sparse_maps(target)).correlate(
        CoarseIndex(sparse_maps(source)), np.arange(S)
    )
    large = CoarseIndex(sparse_maps(target * np.float16(4096))).correlate(
        CoarseIndex(sparse_maps(source)), np.arange(S)
    )
    np.testing.assert_allclose(large, plain, atol=1e-12)


def test_the_null_moves_whole_images_within_their_groups(both: tuple[np.ndarray, np.ndarray]):
    source, target = both
    groups = np.arange(M) % 2
    got = CoarseIndex(sparse_maps(target)).null_maxima(
        CoarseIndex(sparse_maps(source)), 2, groups, 40, np.random.default_rng(7)
    )
    varying = [i for i in range(S) if i not in (5, 6)]
    expected = [
        max(
            0.0,  # the latents without variance
            *(
                np.corrcoef(
                    source[2][order].ravel().astype(float), target[i].ravel().astype(float)
                )[0, 1]
                for i in varying
            ),
        )
        for order in permutations(groups, 40, np.random.default_rng(7))
    ]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_on_some_images_it_is_what_those_alone_would_give(both: tuple[np.ndarray, np.ndarray]):
    source, target = both
    images, kept = np.arange(M) * 3, np.arange(M) % 4 != 1
    cut = CoarseIndex(sparse_maps(target, images)).on(images[kept])
    alone = CoarseIndex(sparse_maps(target[:, kept], images[kept]))
    np.testing.assert_array_equal(cut.images, alone.images)
    some = np.arange(S)
    np.testing.assert_array_equal(cut.n_active(some), alone.n_active(some))
    np.testing.assert_array_equal(cut.n_active(some), (target[:, kept] > 0).any(axis=2).sum(axis=1))
    np.testing.assert_allclose(cut.dense(np.arange(S)), alone.dense(np.arange(S)))
    rest = CoarseIndex(sparse_maps(source, images)).on(images[kept])
    np.testing.assert_allclose(
        cut.correlate(rest, np.arange(S)), alone.correlate(rest, np.arange(S)), atol=1e-12
    )


def test_r_with_ones_own_few_is_that_of_all(both: tuple[np.ndarray, np.ndarray]):
    source, target = (CoarseIndex(sparse_maps(one, np.arange(M))) for one in both)
    near = np.random.default_rng(0).permuted(np.tile(np.arange(S), (S, 1)), axis=1)[:, :7]
    every = target.correlate(source, np.arange(S))
    found = target.correlate_near(source, np.arange(S), near)
    np.testing.assert_allclose(found, np.take_along_axis(every, near, axis=1), atol=1e-12)
