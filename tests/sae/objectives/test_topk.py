"""TopK beyond its gradients (see test_gradients): bf16, and unused latents revived."""

import pytest
import torch

from saecli.sae.activity import Activity
from saecli.sae.objectives.auxk import AuxK
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.topk import TopK
from saecli.sae.ranks import ALONE
from tests.sae.objectives import textbook

D, S, N, K, AUX_K, ALPHA = 12, 40, 33, 5, 4, 0.25


def patches(seed: int = 1, dtype: torch.dtype = torch.float64, n: int = N, d: int = D):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)


def topk(k, aux_k, aux_weight, precision="float32", n_latents=S) -> TopK:
    return TopK(Prefixes((n_latents,)), k, AuxK(aux_k, aux_weight), precision)


def some_unused(n: int) -> torch.Tensor:
    unused = torch.zeros(S, dtype=torch.bool)
    unused[3 : 3 + n] = True
    return unused


def test_bf16_proposes_and_float32_decides():
    """With an eighth more candidates than k, the kept values are float32's, not bf16's."""
    weights, z = (
        textbook.random_weights(200, 64, dtype=torch.float32),
        patches(5, torch.float32, 64, 64),
    )
    given = {"unused": torch.zeros(200, dtype=torch.bool), "warmth": 1.0, "ranks": ALONE}
    exact = topk(16, 8, ALPHA, n_latents=200).step(weights, z, **given)
    gradient = weights.gradient("W_dec").clone()
    rough = topk(16, 8, ALPHA, "bf16", 200).step(weights, z, **given)
    torch.testing.assert_close(rough.total, exact.total, rtol=1e-5, atol=0)
    torch.testing.assert_close(weights.gradient("W_dec"), gradient, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("aux_weight", "revived"), [(0.0, False), (1 / 32, True)])
def test_unused_latents_come_back_only_with_auxk(aux_weight, revived):
    """Half of the latents start too short to be among any patch's k largest."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.nn.functional.normalize(torch.randn(S, D, generator=generator), dim=1)
    weights = textbook.random_weights(S, D, dtype=torch.float32)
    weights.W_enc[: S // 2] *= 1e-3
    weights.b_enc.zero_()
    objective, activity = topk(2, 8, aux_weight), Activity(S)
    adam = torch.optim.Adam(weights.parameters(), lr=1e-2)
    for _ in range(150):
        chosen = torch.rand(256, S, generator=generator).topk(2, dim=1).indices
        z = 3 * hidden[chosen].sum(dim=1)
        unused = activity.unused(1000)
        fired = objective.step(weights, z, unused=unused, warmth=1.0, ranks=ALONE).fired
        weights.remove_parallel_gradients()
        adam.step()
        weights.renormalise()
        activity.update(fired, 256)
    assert (activity.dead_fraction(5000) < 0.1) == revived
    assert (activity.dead_fraction(5000) > 0.3) == (not revived)


def test_bf16_revives_unused_latents_too():
    weights, z = textbook.random_weights(S, D, dtype=torch.float32), patches(2, torch.float32)
    topk(K, AUX_K, ALPHA, "bf16").step(weights, z, unused=some_unused(0), warmth=1.0, ranks=ALONE)
    before = weights.gradient("W_enc").clone()
    topk(K, AUX_K, ALPHA, "bf16").step(weights, z, unused=some_unused(9), warmth=1.0, ranks=ALONE)
    changed = (weights.gradient("W_enc") != before).any(dim=1)
    assert changed.nonzero()[:, 0].tolist() == list(range(3, 12))
