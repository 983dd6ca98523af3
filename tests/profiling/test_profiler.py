"""The one pass gives what a naive pass over all activations gives, for every batch size."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.grid import CoarseMaps
from saecli.profiling import encoding
from saecli.profiling.coactivation import Neighbours
from saecli.profiling.enrichment import Enriched
from saecli.profiling.maps import PatchMaps
from saecli.profiling.profiler import Profile, ProfileSettings, profile
from saecli.sae.model import Dictionary, Identity

N_IMAGES, P, D, S = 90, 9, 6, 20


def make_dictionary(activation: str, **changes: object) -> Dictionary:
    """Weights of small whole numbers: activations are exact in float32, and tie often."""
    generator = torch.Generator().manual_seed(3)
    w_enc = torch.randint(-2, 3, (D, S), generator=generator).float()
    w_enc[:, 4] = 0  # never fires
    w_enc[:, 5] = w_enc[:, 9]  # twins
    identity = Identity("made", "0" * 64, "{}", 0, "patches", D, (3, 3))
    dictionary = Dictionary(
        W_enc=w_enc,
        b_enc=torch.full((S,), -1.0),
        W_dec=torch.nn.functional.normalize(w_enc.T + 0.1),
        b_dec=torch.zeros(D),
        mean=torch.zeros(D),
        scale=torch.ones(1),
        activation=activation,  # type: ignore[arg-type]
        identity=identity,
        k=4 if activation == "topk" else None,
        threshold=torch.full((S,), 2.0) if activation == "jumprelu" else None,
    )
    return replace(dictionary, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def activations() -> Tensor:
    """(N_IMAGES, P, D) whole numbers; some pictures and patches occur twice."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randint(-2, 3, (N_IMAGES, P, D), generator=generator).float()
    x[70] = x[2]
    x[3] = x[88]
    x[:, 7] = x[:, 1]
    x[11] = 0
    return x


def batches(x: Tensor, size: int) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


DICTIONARIES = {
    "topk": make_dictionary("topk"),
    "signed topk": make_dictionary("topk", topk_signed=True),
    "relu": make_dictionary("relu"),
    "jumprelu": make_dictionary("jumprelu"),
}


@pytest.fixture(params=DICTIONARIES, scope="module")
def dictionary(request: pytest.FixtureRequest) -> Dictionary:
    return DICTIONARIES[request.param]


@pytest.fixture(scope="module")
def dense(dictionary: Dictionary, activations: Tensor) -> np.ndarray:
    """(N_IMAGES, P, S) float32 activations, negative ones counted as none."""
    return dictionary.encode(activations).clamp(min=0).numpy()


@pytest.fixture(scope="module")
def profiled(dictionary: Dictionary, activations: Tensor) -> Profile:
    return profile(dictionary, batches(activations, 16), N_IMAGES)


def test_counts_are_exact_and_sums_are_those_of_float64(profiled: Profile, dense: np.ndarray):
    assert profiled.n_images == N_IMAGES
    assert profiled.n_patches == N_IMAGES * P
    np.testing.assert_array_equal(profiled.n_active, (dense > 0).sum(axis=(0, 1)))
    np.testing.assert_array_equal(profiled.n_active_images, (dense > 0).any(axis=1).sum(axis=0))
    total = dense.astype(np.float64).sum(axis=(0, 1))
    np.testing.assert_allclose(profiled.sum, total, rtol=1e-10)
    np.testing.assert_array_equal(profiled.max, dense.max(axis=(0, 1)))
    np.testing.assert_allclose(profiled.density, (dense > 0).mean(axis=(0, 1)))
    fired = profiled.n_active > 0
    np.testing.assert_allclose(
        profiled.mean_activation[fired], total[fired] / profiled.n_active[fired]
    )


def test_sums_of_fractional_activations_agree_with_exact_summation():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(N_IMAGES, P, D, generator=generator)
    relu = make_dictionary("relu", b_enc=torch.linspace(-3, 3, S))
    got = profile(relu, batches(x, 7), N_IMAGES)
    f = np.concatenate([relu.encode(part).numpy() for part in x.split(encoding.MOST_IMAGES)])
    np.testing.assert_array_equal(got.n_active, (f > 0).sum(axis=(0, 1)))
    np.testing.assert_allclose(got.sum, f.astype(np.float64).sum(axis=(0, 1)), rtol=1e-10)


def test_histogram_counts_every_active_patch_once(profiled: Profile, dense: np.ndarray):
    edges = profiled.edges.astype(np.float64)
    inner = np.concatenate([[0], edges[1:-1], [np.inf]])
    for latent in range(S):
        values = dense[:, :, latent]
        expected = np.histogram(values[values > 0].astype(np.float64), inner)[0]
        np.testing.assert_array_equal(profiled.histogram[latent], expected)
    np.testing.assert_array_equal(profiled.histogram.sum(axis=1), profiled.n_active)


def test_exemplars_are_unique_by_image_and_ties_go_to_the_lower_image_and_patch(
    profiled: Profile, dense: np.ndarray
):
    n = ProfileSettings().n_exemplars
    n_ties = 0
    for latent in range(S):
        maxima = dense[:, :, latent].max(axis=1)
        ranked = sorted(np.flatnonzero(maxima > 0), key=lambda i: (-maxima[i], i))[:n]
        n_ties += len(ranked) - len({maxima[i] for i in ranked})
        expected = np.full((3, n), -1.0)
        expected[2] = 0
        for place, image in enumerate(ranked):
            expected[:, place] = image, dense[image, :, latent].argmax(), maxima[image]
        np.testing.assert_array_equal(profiled.exemplar_image[latent], expected[0])
        np.testing.assert_array_equal(profiled.exemplar_patch[latent], expected[1])
        np.testing.assert_array_equal(profiled.exemplar_activation[latent], expected[2])
    assert n_ties > 50  # the case is there


def test_signature_is_the_maximum_over_each_images_patches(profiled: Profile, dense: np.ndarray):
    np.testing.assert_array_equal(profiled.signature_images, np.arange(N_IMAGES))
    np.testing.assert_array_equal(profiled.signature, dense.max(axis=1).T.astype(np.float16))


@pytest.mark.parametrize("size", [1, 7, N_IMAGES])
def test_the_result_does_not_depend_on_the_batch_size(
    profiled: Profile, dictionary: Dictionary, activations: Tensor, size: int
):
    assert_same(profile(dictionary, batches(activations, size), N_IMAGES), profiled)


def test_fractional_activations_too_are_bit_equal_for_every_batch_size(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(encoding, "MOST_IMAGES", 5)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(N_IMAGES, P, D, generator=generator)
    topk = make_dictionary("topk", b_enc=torch.linspace(-1, 1, S))
    whole = profile(topk, batches(x, N_IMAGES), N_IMAGES)
    for size in (1, 4, 13):
        assert_same(profile(topk, batches(x, size), N_IMAGES), whole)


def test_the_sparse_code_and_its_dense_twin_give_the_same_profile(activations: Tensor):
    topk = make_dictionary("topk")

    class DenseTwin(Dictionary):
        """Declares no topk, so that it is read densely, and encodes as one."""

        def activate(self, a: Tensor) -> Tensor:
            return topk.activate(a)

    twin = DenseTwin(**{**vars(topk), "activation": "relu"})
    assert_same(
        profile(twin, batches(activations, 16), N_IMAGES),
        profile(topk, batches(activations, 16), N_IMAGES),
    )


def test_maps_hold_every_exemplars_patches(profiled: Profile, dense: np.ndarray):
    kept = set()
    for chosen in (profiled.exemplar_image, profiled.quantile_image, profiled.random_image):
        kept |= {(s, i) for s in range(S) for i in chosen[s] if i >= 0}
    assert kept == set(zip(profiled.maps.latent, profiled.maps.image, strict=True))
    for latent, image in kept:
        values = dense[image, :, latent]
        levels = profiled.maps.dense(latent, image, P)
        assert levels.dtype == np.uint8
        np.testing.assert_array_equal(levels > 0, values > 0)
        np.testing.assert_allclose(levels / 255 * values.max(), values, atol=values.max() / 500)
    with pytest.raises(KeyError):
        profiled.maps.of(4, 0)


def test_random_actives_are_distinct_images_on_which_the_latent_fires(
    profiled: Profile, dense: np.ndarray
):
    settings = ProfileSettings()
    for latent in range(S):
        maxima = dense[:, :, latent].max(axis=1)
        images = profiled.random_image[latent]
        images = images[images >= 0]
        assert len(set(images)) == len(images) == min(settings.n_random, (maxima > 0).sum())
        np.testing.assert_array_equal(
            profiled.random_activation[latent, : len(images)], maxima[images]
        )
        assert (maxima[images] > 0).all()


def test_random_actives_are_drawn_uniformly(activations: Tensor):
    relu = make_dictionary("relu")
    fires = profile(relu, batches(activations, 90), N_IMAGES).signature > 0
    counts = np.zeros((S, N_IMAGES))
    n_seeds = 200
    for seed in range(n_seeds):
        settings = ProfileSettings(n_random=8, n_sample=12, seed=seed)
        images = profile(relu, batches(activations, 90), N_IMAGES, settings).random_image
        for latent in range(S):
            counts[latent, images[latent][images[latent] >= 0]] += 1
    assert counts[~fires].sum() == 0
    share = np.minimum(1, 8 / np.maximum(1, fires.sum(axis=1)))[:, None] * fires
    uncertain = (share > 0) & (share < 1)
    deviation = (counts - n_seeds * share)[uncertain]
    deviation /= np.sqrt(n_seeds * share * (1 - share))[uncertain]
    assert abs(deviation.mean()) < 0.1
    assert 0.9 < deviation.std() < 1.1


def test_quantile_exemplars_come_from_equal_parts_by_activation(
    dictionary: Dictionary, activations: Tensor, dense: np.ndarray
):
    settings = ProfileSettings(n_sample=N_IMAGES)  # holds every image: exact quantiles
    got = profile(dictionary, batches(activations, 16), N_IMAGES, settings)
    checked = 0
    for latent in range(S):
        maxima = dense[:, :, latent].max(axis=1)
        active = sorted(np.flatnonzero(maxima > 0), key=lambda i: (maxima[i], i))
        if len(active) < 10:
            continue
        checked += 1
        part = {image: place * 5 // len(active) for place, image in enumerate(active)}
        images = got.quantile_image[latent]
        assert len(set(images)) == len(images)
        assert [part[image] for image in images] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        np.testing.assert_array_equal(got.quantile_activation[latent], maxima[images])
    assert checked > S // 2


def test_a_latent_that_fires_once_has_one_exemplar_of_each_kind():
    x = torch.full((30, P, D), -1.0)
    x[17, 5] = 3.0
    ones = make_dictionary("relu", W_enc=torch.ones(D, S), b_enc=torch.zeros(S))
    got = profile(ones, batches(x, 4), 30)
    for kind in ("exemplar", "quantile", "random"):
        image = getattr(got, f"{kind}_image")[0]
        assert image[image >= 0].tolist() == [17]
        assert getattr(got, f"{kind}_patch")[0][image >= 0].tolist() == [5]
        assert getattr(got, f"{kind}_activation")[0].sum() == 18
    assert got.maps.dense(0, 17, P).tolist() == [0, 0, 0, 0, 0, 255, 0, 0, 0]


def test_signatures_of_all_dictionaries_are_on_the_same_images(activations: Tensor):
    settings = ProfileSettings(signature_images=31)
    relu = profile(make_dictionary("relu"), batches(activations, 9), N_IMAGES, settings)
    topk = profile(make_dictionary("topk"), batches(activations, 9), N_IMAGES, settings)
    np.testing.assert_array_equal(relu.signature_images, topk.signature_images)
    f = make_dictionary("relu").encode(activations).numpy()
    np.testing.assert_array_equal(
        relu.signature, f[relu.signature_images].max(axis=1).T.astype(np.float16)
    )


@pytest.mark.parametrize("size", [31, 2048])
def test_fewer_images_than_were_announced_give_the_profile_of_those_that_came(
    dictionary: Dictionary, activations: Tensor, size: int
):
    settings = ProfileSettings(signature_images=size)
    assert_same(
        profile(dictionary, batches(activations, 9), N_IMAGES + 17, settings),
        profile(dictionary, batches(activations, 9), N_IMAGES, settings),
    )


def test_half_precision_activations_are_read_in_the_dictionarys_precision(activations: Tensor):
    relu = make_dictionary("relu")
    assert_same(
        profile(relu, batches(activations.half(), 9), N_IMAGES),
        profile(relu, batches(activations, 9), N_IMAGES),
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_activations_that_are_not_finite_are_refused(activations: Tensor, bad: float):
    x = activations.clone()
    x[13, 2, 1] = bad
    with pytest.raises(SaecliError, match="picture 13 aren't finite"):
        profile(make_dictionary("topk"), batches(x, 10), N_IMAGES)


def test_images_that_are_missing_or_out_of_order_or_too_many_are_refused(activations: Tensor):
    topk = make_dictionary("topk")
    with pytest.raises(ValueError, match="image 20 as number 20"):
        profile(topk, [(0, activations[:10]), (11, activations[:10])], 30)
    with pytest.raises(ValueError, match="of 80"):
        profile(topk, batches(activations, 10), 80)
    with pytest.raises(ValueError, match="ascending"):
        profile(topk, [(10, activations[:10]), (0, activations[:10])], 20)


def test_a_set_of_which_nothing_can_be_read_is_refused():
    with pytest.raises(SaecliError, match="none of 3 pictures could be read"):
        profile(make_dictionary("topk"), [], 3)


def assert_same(got: Profile, expected: Profile) -> None:
    for field in fields(Profile):
        a, b = getattr(got, field.name), getattr(expected, field.name)
        if isinstance(a, PatchMaps | CoarseMaps | Neighbours | Enriched):
            for part in fields(a):
                np.testing.assert_array_equal(getattr(a, part.name), getattr(b, part.name))
        else:
            np.testing.assert_array_equal(a, b, err_msg=field.name)
