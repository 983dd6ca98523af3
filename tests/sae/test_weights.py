"""Normalisation, the start from data, and unit rows kept by projection."""

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.sae.weights import Normalisation, best_gain, from_data
from tests.sae.objectives.textbook import random_weights


def test_normalised_patches_are_centred_with_mean_norm_root_d():
    generator = torch.Generator().manual_seed(0)
    x = 5 * torch.randn(5000, 16, generator=generator) + 100 * torch.randn(16, generator=generator)
    normalisation = Normalisation.estimate(x)
    mean = x.double().numpy().mean(axis=0)
    scale = np.linalg.norm(x.double().numpy() - mean, axis=1).mean() / 4
    np.testing.assert_allclose(normalisation.mean.numpy(), mean, rtol=1e-6)
    assert float(normalisation.scale) == pytest.approx(scale, rel=1e-6)
    z = normalisation.apply(x)
    assert float(z.norm(dim=1).mean()) == pytest.approx(4, rel=1e-5)
    assert float(z.mean(dim=0).abs().max()) < 1e-4
    assert normalisation.variance == pytest.approx(float(z.double().pow(2).sum(1).mean()), rel=1e-5)


def test_patches_all_alike_are_refused():
    with pytest.raises(SaecliError, match="patches are alike"):
        Normalisation.estimate(torch.full((9, 4), 3.3))


@pytest.mark.parametrize("n_latents", [5, 64])
def test_rows_start_near_patches_and_the_encoder_is_their_transpose(n_latents):
    z = torch.randn(20, 200, generator=torch.Generator().manual_seed(0))
    weights = from_data(z, n_latents, 0.8, torch.Generator().manual_seed(1))
    torch.testing.assert_close(weights.W_dec.norm(dim=1), torch.ones(n_latents))
    nearest = (weights.W_dec @ torch.nn.functional.normalize(z, dim=1).t()).max(dim=1)
    assert nearest.values.min() > 0.9  # 0.8/√(0.8² + 0.2²) = 0.97 for orthogonal directions
    assert len(set(nearest.indices.tolist())) == min(n_latents, 20)
    assert torch.equal(weights.W_enc, weights.W_dec)
    assert weights.W_enc.data_ptr() != weights.W_dec.data_ptr()
    assert not weights.b_enc.any()
    assert not weights.b_dec.any()


def test_a_patch_at_the_mean_gives_a_random_row_not_a_zero_one():
    weights = from_data(torch.zeros(3, 6), 3, 1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(weights.W_dec.norm(dim=1), torch.ones(3))


def test_no_gain_reconstructs_better_than_the_best():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(50, 6, generator=generator)
    reconstruction = 3 * z + torch.randn(50, 6, generator=generator)
    best = best_gain(z, reconstruction)
    errors = [
        float((z - best * factor * reconstruction).square().sum()) for factor in (0.9, 1, 1.1)
    ]
    assert errors[1] < min(errors[0], errors[2])
    assert best_gain(z, torch.zeros(50, 6)) == 1.0


def test_projection_takes_the_part_along_each_row_and_nothing_else():
    weights = random_weights(9, 5)
    gradient = torch.randn(9, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights.gradient("W_dec").copy_(gradient)
    weights.remove_parallel_gradients()
    for row, before, after in zip(weights.W_dec, gradient, weights.gradient("W_dec"), strict=True):
        expected = before - (before @ row) * row
        torch.testing.assert_close(after, expected, rtol=0, atol=1e-14)
        assert abs(float(after @ row)) < 1e-14


def test_rows_are_brought_back_to_unit_norm_in_their_direction():
    weights = random_weights(9, 5)
    before = weights.W_dec.clone()
    weights.W_dec.mul_(torch.linspace(0.5, 3, 9, dtype=torch.float64)[:, None])
    weights.renormalise()
    torch.testing.assert_close(weights.W_dec, before, rtol=0, atol=1e-14)
