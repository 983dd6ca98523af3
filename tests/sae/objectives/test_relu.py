"""ReLU + L1 beyond its gradients (see test_gradients)."""

import pytest
import torch

from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.relu import ReluL1
from saecli.sae.ranks import ALONE
from tests.sae.objectives import textbook

NONE = torch.zeros(40, dtype=torch.bool)


def test_the_penalty_counts_rows_that_are_not_of_unit_norm():
    weights = textbook.random_weights(40, 12)
    weights.W_dec.mul_(torch.linspace(0.5, 2, 40, dtype=torch.float64)[:, None])
    z = torch.randn(33, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = textbook.relu_l1(weights, z, 0.3)
    objective = ReluL1(Prefixes((40,)), 0.3)
    got = objective.step(weights, z, unused=NONE, warmth=1.0, ranks=ALONE)
    torch.testing.assert_close(got.total, expected.loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        weights.gradient("W_dec"), expected.gradients["W_dec"], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("widths", [(), (7, 20)])
def test_few_active_latents_give_the_textbooks_gradients_by_their_entries(widths, monkeypatch):
    """And it is the entries that give them: the dense way isn't taken."""
    weights = textbook.random_weights(40, 12)
    z = torch.randn(33, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights.b_enc.sub_(7.0)
    expected = textbook.relu_l1(weights, z, 0.05, widths)
    assert 0 < (expected.f > 0).double().mean() < 0.08
    objective = ReluL1(Prefixes((*widths, 40)), 0.05)
    monkeypatch.delattr(Prefixes, "reconstruct")
    got = objective.step(weights, z, unused=NONE, warmth=1.0, ranks=ALONE)
    torch.testing.assert_close(got.total, expected.loss)
    for name, gradient in expected.gradients.items():
        torch.testing.assert_close(weights.gradient(name), gradient, rtol=0, atol=1e-10)
    assert torch.equal(got.fired, (expected.f > 0).any(dim=0))
