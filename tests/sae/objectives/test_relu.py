"""ReLU + L1's hand-written gradients against autograd on the textbook loss."""

import pytest
import torch

from saecli.sae.objectives.relu import ReluL1
from saecli.sae.weights import NAMES
from tests.sae.objectives import textbook

NONE = torch.zeros(40, dtype=torch.bool)


def patches(seed: int, n: int = 33) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 12, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("l1", [0.0, 0.02])
def test_losses_and_gradients_are_the_textbooks(l1, dtype):
    weights = textbook.random_weights(40, 12, dtype=dtype)
    objective = ReluL1()
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    for seed, n in ((1, 33), (2, 33), (3, 8)):
        z = patches(seed, n)
        expected = textbook.relu_l1(textbook.random_weights(40, 12), z, l1)
        got = objective.step(weights, z.to(dtype), unused=NONE, l1=l1)
        torch.testing.assert_close(
            got.total.double(), expected.loss, rtol=tolerance, atol=tolerance
        )
        for name in NAMES:
            torch.testing.assert_close(
                weights.gradient(name).double(), expected.gradients[name], rtol=0, atol=tolerance
            )
        assert torch.equal(got.fired, (expected.f > 0).any(dim=0))
        assert int(got.n_active) == int((expected.f > 0).sum())


def test_the_penalty_counts_rows_that_are_not_of_unit_norm():
    weights = textbook.random_weights(40, 12)
    weights.W_dec.mul_(torch.linspace(0.5, 2, 40, dtype=torch.float64)[:, None])
    expected = textbook.relu_l1(weights, patches(1), 0.3)
    got = ReluL1().step(weights, patches(1), unused=NONE, l1=0.3)
    torch.testing.assert_close(got.total, expected.loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        weights.gradient("W_dec"), expected.gradients["W_dec"], rtol=0, atol=1e-12
    )


def test_bf16_stays_near_float32():
    weights, z = textbook.random_weights(40, 12, dtype=torch.float32), patches(1).float()
    exact = ReluL1().step(weights, z, unused=NONE, l1=0.01).total
    rough = ReluL1("bf16").step(weights, z, unused=NONE, l1=0.01).total
    assert float(rough) == pytest.approx(float(exact), rel=1e-2)
