"""BatchTopK: exactly n·k kept, whatever was guessed, and a threshold that keeps k in the mean."""

import pytest
import torch

from saecli.sae.objectives.auxk import AuxK
from saecli.sae.objectives.batchtopk import BatchTopK
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.ranks import ALONE
from tests.sae.objectives import textbook

S, D, K = 60, 16, 4
NONE = torch.zeros(S, dtype=torch.bool)


def patches(n: int, scale: float = 1.0, seed: int = 0) -> torch.Tensor:
    return scale * torch.randn(n, D, generator=torch.Generator().manual_seed(seed))


def batchtopk() -> BatchTopK:
    return BatchTopK(Prefixes((S,)), K, AuxK(8, 0.0))


@pytest.mark.parametrize("scales", [(1, 1, 1), (1, 0.1, 1), (1, 20, 0.01)])
def test_n_times_k_are_kept_whatever_the_batch_before_let_expect(scales):
    weights, objective = textbook.random_weights(S, D, dtype=torch.float32), batchtopk()
    weights.b_enc.zero_()
    for seed, scale in enumerate(scales):
        z = patches(50, scale, seed)
        got = objective.step(weights, z, unused=NONE, warmth=1.0, ranks=ALONE)
        assert int(got.n_active) == 50 * K


def test_patches_share_unevenly():
    weights = textbook.random_weights(S, D, dtype=torch.float32)
    z = torch.cat([patches(25, 0.2), patches(25, 2.0)])
    batchtopk().step(weights, z, unused=NONE, warmth=1.0, ranks=ALONE)
    f = textbook.keep_largest((z @ weights.W_enc.t() + weights.b_enc).view(1, -1), 50 * K)
    counts = (f.view(50, S) > 0).sum(dim=1)
    assert counts[:25].sum() < counts[25:].sum() / 4


def test_where_fewer_are_positive_these_are_kept():
    weights, objective = textbook.random_weights(S, D, dtype=torch.float32), batchtopk()
    weights.b_enc.fill_(-12.0)
    z = patches(50)
    got = objective.step(weights, z, unused=NONE, warmth=1.0, ranks=ALONE)
    n_positive = int(((z @ weights.W_enc.t() + weights.b_enc) > 0).sum())
    assert 0 < n_positive < 50 * K
    assert int(got.n_active) == n_positive


def test_where_none_is_positive_nothing_is_and_the_threshold_stays():
    weights, objective = textbook.random_weights(S, D, dtype=torch.float32), batchtopk()
    objective.begin(weights, patches(50))
    before = float(objective.threshold(weights)[0])
    weights.b_enc.fill_(-1e6)
    got = objective.step(weights, patches(50), unused=NONE, warmth=1.0, ranks=ALONE)
    assert int(got.n_active) == 0
    assert float(objective.threshold(weights)[0]) == before > 0


def test_the_threshold_is_the_mean_of_the_smallest_kept():
    weights, objective = textbook.random_weights(S, D, dtype=torch.float32), batchtopk()
    cuts = []
    for seed in range(5):
        z = patches(50, seed=seed)
        objective.step(weights, z, unused=NONE, warmth=1.0, ranks=ALONE)
        a = (z @ weights.W_enc.t() + weights.b_enc).flatten()
        cuts.append(float(a.sort(descending=True).values[50 * K - 1]))
    assert objective.threshold(weights).tolist() == pytest.approx([sum(cuts) / 5] * S, rel=1e-6)


def test_a_restored_state_goes_on_alike():
    weights, one, other = textbook.random_weights(S, D, dtype=torch.float32), batchtopk(), None
    for seed in range(3):
        one.step(weights, patches(50, seed=seed), unused=NONE, warmth=1.0, ranks=ALONE)
    other = batchtopk()
    other.restore({name: t.clone() for name, t in one.state().items()})
    for objective in (one, other):
        objective.step(weights, patches(50, seed=9), unused=NONE, warmth=1.0, ranks=ALONE)
    assert torch.equal(one.threshold(weights), other.threshold(weights))
