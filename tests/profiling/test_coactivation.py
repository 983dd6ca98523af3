"""Which latents fire together: exact against counting all pairs, in bounded work."""

import numpy as np

from saecli.profiling import coactivation
from saecli.profiling.coactivation import Coactivation
from saecli.profiling.encoding import Firings
from saecli.profiling.signatures import smallest

N_IMAGES, P, S = 40, 6, 15


def firings(first: int, f: np.ndarray) -> Firings:
    row, patch, latent = np.nonzero(f)
    return Firings(np.arange(first, first + len(f)), P, row, patch, latent, f[row, patch, latent])


def codes() -> np.ndarray:
    rng = np.random.default_rng(0)
    f = rng.random((N_IMAGES, P, S)).astype(np.float32)
    f[rng.random(f.shape) < 0.7] = 0
    f[:, :, 9] = f[:, :, 5]  # twins
    f[:, :, 3] = 0
    return f


def expected(f: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    fires = f.reshape(-1, S) > 0
    latent, share = np.full((S, n), -1), np.zeros((S, n))
    for one in range(S):
        scores = []
        for other in range(S):
            either = (fires[:, one] | fires[:, other]).sum()
            both = (fires[:, one] & fires[:, other]).sum()
            if other != one and both:
                scores.append((-both / either, other))
        for place, (score, other) in enumerate(sorted(scores)[:n]):
            latent[one, place], share[one, place] = other, -score
    return latent, share


def test_neighbours_are_those_that_share_most_patches(monkeypatch):
    monkeypatch.setattr(coactivation, "_PRODUCT", 50)  # many blocks
    f = codes()
    gathered = Coactivation(S, N_IMAGES, seed=0)
    for start in range(0, N_IMAGES, 9):
        gathered.add(firings(start, f[start : start + 9]))
    found = gathered.finish(4)
    latent, share = expected(f, 4)
    np.testing.assert_array_equal(found.latent, latent)
    np.testing.assert_allclose(found.share, share, rtol=1e-6)
    assert found.latent[5, 0] == 9
    assert found.share[5, 0] == 1
    assert (found.latent[3] == -1).all()
    assert found.n_images == N_IMAGES


def test_too_many_pairs_halve_the_pictures_and_the_rest_is_exact():
    f = codes()
    n_pairs = int(((f > 0).sum(axis=2) ** 2).sum())
    gathered = Coactivation(S, N_IMAGES, seed=3, most_pairs=n_pairs * 7 // 10)
    later = Coactivation(S, N_IMAGES, seed=3, most_pairs=n_pairs * 7 // 10)
    gathered.add(firings(0, f[:25]))
    later.add(firings(25, f[25:]))
    gathered.join(later)
    found = gathered.finish(3)
    assert found.n_images == N_IMAGES // 2
    chosen = smallest(np.arange(N_IMAGES), found.n_images, 3)
    latent, share = expected(f[chosen], 3)
    np.testing.assert_array_equal(found.latent, latent)
    np.testing.assert_allclose(found.share, share, rtol=1e-6)


def test_nothing_that_fires_has_no_neighbours():
    gathered = Coactivation(S, N_IMAGES, seed=0)
    assert (gathered.finish(2).latent == -1).all()
    gathered.add(firings(0, np.zeros((4, P, S), np.float32)))
    assert (gathered.finish(2).latent == -1).all()
