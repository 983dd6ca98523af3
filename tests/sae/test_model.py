"""The dictionary's formulas, against a plain NumPy computation, and its refusal of strangers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.sae.model import Dictionary, Identity
from tests.dictionaries import IDENTITY, random_dictionary

KINDS: dict[str, dict[str, Any]] = {
    "relu": {"activation": "relu"},
    "topk": {"activation": "topk", "k": 3},
    "signed topk": {"activation": "topk", "k": 20, "topk_signed": True},
    "scaled topk": {"activation": "topk", "k": 3, "select_scale": torch.linspace(0.1, 4, 24)},
    "jumprelu": {"activation": "jumprelu"},
    "inclusive jumprelu": {"activation": "jumprelu", "threshold_inclusive": True},
}


def reference_encode(dictionary: Dictionary, x: np.ndarray) -> np.ndarray:
    """The formula, patch by patch and latent by latent, in float64."""
    weights = {
        name: value.double().numpy()
        for name, value in vars(dictionary).items()
        if isinstance(value, torch.Tensor)
    }
    out = np.zeros((len(x), dictionary.n_latents))
    for row, patch in enumerate(x):
        z = (patch - weights["mean"]) / weights["scale"]
        a = z @ weights["W_enc"] + weights["b_enc"]
        if dictionary.activation == "topk":
            scores = a * weights.get("select_scale", np.ones_like(a))
            kept = sorted(range(len(a)), key=lambda i: (-scores[i], i))[: dictionary.k]
            for latent in kept:
                out[row, latent] = a[latent] if dictionary.topk_signed else max(a[latent], 0)
        elif dictionary.activation == "jumprelu":
            for latent, threshold in enumerate(weights["threshold"]):
                over = a[latent] > threshold
                over |= dictionary.threshold_inclusive and a[latent] == threshold
                out[row, latent] = a[latent] if over else 0.0
        else:
            out[row] = np.maximum(a, 0)
    return out


@pytest.fixture
def patches() -> torch.Tensor:
    return 3 * torch.randn(17, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_encoding_and_decoding_follow_the_formula(kind, patches):
    dictionary = random_dictionary(**KINDS[kind]).to(dtype=torch.float64)
    f = dictionary.encode(patches)
    expected = reference_encode(dictionary, patches.numpy())
    np.testing.assert_allclose(f.numpy(), expected, atol=1e-12)
    decoded = (
        expected @ dictionary.W_dec.numpy() + dictionary.b_dec.numpy()
    ) * dictionary.scale.numpy() + dictionary.mean.numpy()
    np.testing.assert_allclose(dictionary.decode(f).numpy(), decoded, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_any_leading_shape_is_encoded_alike(kind, patches):
    dictionary = random_dictionary(**KINDS[kind]).to(dtype=torch.float64)
    shaped = patches[:12].view(2, 3, 2, 8)
    torch.testing.assert_close(
        dictionary.encode(shaped).view(12, -1), dictionary.encode(patches[:12]), rtol=0, atol=1e-14
    )


def test_sparse_encoding_holds_the_entries_of_the_dense_one(patches):
    dictionary = random_dictionary(k=5).to(dtype=torch.float64)
    values, latents = dictionary.encode_sparse(patches)
    assert (values.diff(dim=1) <= 0).all()
    rebuilt = torch.zeros(17, 24, dtype=torch.float64).scatter_(1, latents, values)
    assert torch.equal(rebuilt, dictionary.encode(patches))


def test_equal_latents_are_kept_by_lower_index():
    dictionary = random_dictionary(d_model=4, n_latents=6, k=2)
    same = replace(dictionary, W_enc=torch.ones(4, 6), b_enc=torch.zeros(6))
    f = same.encode(torch.ones(1, 4) * 9 + same.mean)
    assert f.nonzero()[:, 1].tolist() == [0, 1]


def test_threshold_equality_is_decided_by_the_flag():
    dictionary = random_dictionary(activation="jumprelu", threshold=torch.full((24,), 0.5))
    at = replace(dictionary, W_enc=torch.zeros(8, 24), b_enc=torch.full((24,), 0.5))
    assert not at.encode(torch.zeros(1, 8)).any()
    assert (replace(at, threshold_inclusive=True).encode(torch.zeros(1, 8)) == 0.5).all()


def test_a_dictionary_without_k_has_no_sparse_encoding():
    with pytest.raises(SaecliError, match="no fixed number"):
        random_dictionary(activation="relu").encode_sparse(torch.zeros(1, 8))


@dataclass(frozen=True)
class Claims:
    """What a backbone says of itself."""

    name: str = "clip:tiny"
    digest: str = "0" * 64
    image_transform: str = '{"size": 32}'
    d_model: int = 8
    grid: Grid = Grid(2, 3)  # noqa: RUF009


def test_the_backbone_it_was_trained_on_fits():
    random_dictionary().check_fits(Claims())
    random_dictionary().check_fits(Claims(name="clip:/elsewhere"), layer=1)
    assert Identity.of(Claims(), 1) == IDENTITY


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "1" * 64}, "weights 000000000000, and clip:tiny has 111111111111"),
        ({"d_model": 16}, "is for activations 8 wide, not 16"),
        ({"grid": Grid(3, 2)}, "a grid of 2×3, not of 3×2"),
        ({"image_transform": "{}"}, "another image transform"),
    ],
)
def test_another_backbone_is_refused(change, words):
    with pytest.raises(SaecliError, match=words):
        random_dictionary().check_fits(Claims(**change))


def test_another_layer_is_refused():
    with pytest.raises(SaecliError, match="layer 1, not on 2"):
        random_dictionary().check_fits(Claims(), layer=2)


def test_moving_keeps_everything_but_the_type():
    dictionary = random_dictionary(activation="jumprelu", prefixes=(4, 24))
    moved = dictionary.to("cpu", torch.float64)
    assert moved.threshold.dtype == moved.W_enc.dtype == torch.float64
    assert torch.equal(moved.W_dec.float(), dictionary.W_dec)
    assert (moved.identity, moved.prefixes) == (dictionary.identity, (4, 24))
