"""A pass that is broken off goes on to the same profile; several dictionaries share one pass."""

from io import BytesIO

import numpy as np
import pytest
import torch

from saecli.profiling import encoding
from saecli.profiling.parts import Part, gather
from saecli.profiling.profiler import ProfileSettings, finish, profile
from tests.profiling.test_profiler import (
    N_IMAGES,
    activations,  # noqa: F401  the fixture
    assert_same,
    batches,
    make_dictionary,
)

SETTINGS = ProfileSettings(n_exemplars=3, n_random=2, n_sample=6, signature_images=20, seed=4)
CLASSES = np.arange(N_IMAGES) % 3 - 1


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(encoding, "MOST_IMAGES", 8)


def fractional(whole: torch.Tensor) -> torch.Tensor:
    return whole + 0.1 * torch.rand(whole.shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("broken_off", [1, 3, 8])
def test_a_pass_goes_on_from_a_file_bit_for_bit(activations, broken_off):  # noqa: F811
    x = fractional(activations)
    dictionary = make_dictionary("topk")
    whole = profile(dictionary, batches(x, 10), N_IMAGES, SETTINGS, classes=CLASSES)
    kept = []

    def keep(parts):
        file = BytesIO()
        np.savez(file, allow_pickle=False, **parts[0].state())
        kept.append(file.getvalue())

    gather([dictionary], batches(x, 10), N_IMAGES, SETTINGS, classes=CLASSES, kept=keep)
    part = Part.begin(dictionary, N_IMAGES, SETTINGS, classes=CLASSES)
    with np.load(BytesIO(kept[broken_off - 1])) as state:
        part.restore(dict(state))
    assert part.n_images == 10 * broken_off // 8 * 8  # whole groups alone
    first = part.n_images
    rest = ((first + start, b) for start, b in batches(x[first:], 7))
    gather([dictionary], rest, N_IMAGES, SETTINGS, classes=CLASSES, parts=[part])
    assert_same(finish([part], SETTINGS), whole)


def test_dictionaries_in_one_pass_have_the_profiles_of_their_own(activations):  # noqa: F811
    x = fractional(activations)
    kinds = [make_dictionary("topk"), make_dictionary("relu"), make_dictionary("jumprelu")]
    parts = gather(kinds, batches(x, 10), N_IMAGES, SETTINGS)
    for dictionary, part in zip(kinds, parts, strict=True):
        assert_same(
            finish([part], SETTINGS), profile(dictionary, batches(x, 10), N_IMAGES, SETTINGS)
        )


def test_dictionaries_that_stand_at_different_images_go_on_together(activations):  # noqa: F811
    x = fractional(activations)
    kinds = [make_dictionary("topk"), make_dictionary("relu")]
    parts = [Part.begin(one, N_IMAGES, SETTINGS) for one in kinds]
    for dictionary, part, n in zip(kinds, parts, (16, 40), strict=True):
        gather([dictionary], batches(x[:n], n), N_IMAGES, SETTINGS, parts=[part])
    rest = ((16 + start, b) for start, b in batches(x[16:], 9))
    gather(kinds, rest, N_IMAGES, SETTINGS, parts=parts)
    for dictionary, part in zip(kinds, parts, strict=True):
        assert_same(
            finish([part], SETTINGS), profile(dictionary, batches(x, 10), N_IMAGES, SETTINGS)
        )


def test_a_product_in_bf16_keeps_the_latents_of_float32():
    generator = torch.Generator().manual_seed(7)
    d, s = 32, 300
    identity = make_dictionary("topk").identity
    dictionary = make_dictionary(
        "topk",
        W_enc=torch.randn(d, s, generator=generator),
        b_enc=torch.zeros(s),
        W_dec=torch.nn.functional.normalize(torch.randn(s, d, generator=generator)),
        b_dec=torch.zeros(d),
        mean=torch.zeros(d),
        identity=identity,
        k=6,
    )
    x = torch.randn(40, 9, d, generator=generator)
    exact = profile(dictionary, batches(x, 40), 40, SETTINGS)
    bf16 = profile(dictionary, batches(x, 40), 40, ProfileSettings(
        n_exemplars=3, n_random=2, n_sample=6, signature_images=20, seed=4, precision="bf16"
    ))  # fmt: skip
    np.testing.assert_array_equal(bf16.n_active, exact.n_active)
    np.testing.assert_array_equal(bf16.exemplar_image, exact.exemplar_image)
    np.testing.assert_array_equal(bf16.random_image, exact.random_image)
    np.testing.assert_allclose(bf16.sum, exact.sum, rtol=1e-5)
    np.testing.assert_array_equal(bf16.neighbours.latent, exact.neighbours.latent)
