"""ReLU + L1 beyond its gradients (see test_gradients)."""

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
