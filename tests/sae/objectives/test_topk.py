"""TopK's hand-written gradients against autograd on the textbook loss."""

import pytest
import torch

from saecli.sae.activity import Activity
from saecli.sae.objectives.topk import TopK
from saecli.sae.weights import NAMES, Weights
from tests.sae.objectives import textbook

D, S, N, K, AUX_K, ALPHA = 12, 40, 33, 5, 4, 0.25


def patches(seed: int = 1, dtype: torch.dtype = torch.float64, n: int = N, d: int = D):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)


def some_unused(n: int) -> torch.Tensor:
    unused = torch.zeros(S, dtype=torch.bool)
    unused[3 : 3 + n] = True
    return unused


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("n_unused", [0, 2, AUX_K, 17])
def test_losses_and_gradients_are_the_textbooks(n_unused, dtype):
    weights, z, unused = (
        textbook.random_weights(S, D, dtype=dtype),
        patches(),
        some_unused(n_unused),
    )
    expected = textbook.topk(
        textbook.random_weights(S, D), z, K, unused, aux_k=AUX_K, aux_weight=ALPHA
    )
    got = TopK(K, AUX_K, ALPHA).step(weights, z.to(dtype), unused=unused, l1=0.0)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(got.total.double(), expected.loss, rtol=tolerance, atol=tolerance)
    for name in NAMES:
        torch.testing.assert_close(
            weights.gradient(name).double(), expected.gradients[name], rtol=0, atol=tolerance
        )
    assert torch.equal(got.fired, (expected.f > 0).any(dim=0))
    assert int(got.n_active) == int((expected.f > 0).sum())


def test_buffers_used_again_do_not_leak_into_the_next_batch():
    weights, objective = textbook.random_weights(S, D), TopK(K, AUX_K, ALPHA)
    nothing = some_unused(0)
    for seed, n in ((1, N), (2, N), (3, 7), (4, N)):
        z = patches(seed, n=n)
        got = objective.step(weights, z, unused=nothing, l1=0.0)
        expected = textbook.topk(weights, z, K, nothing, AUX_K, ALPHA)
        torch.testing.assert_close(got.total, expected.loss, rtol=1e-12, atol=0)
        for name in NAMES:
            torch.testing.assert_close(
                weights.gradient(name), expected.gradients[name], rtol=0, atol=1e-12
            )


def adam_steps(weights: Weights, gradients, n_steps: int) -> list[float]:
    adam = torch.optim.Adam(weights.parameters(), lr=1e-2)
    losses = []
    for step in range(n_steps):
        z = patches(100 + step, weights.W_enc.dtype)
        losses.append(float(gradients(weights, z)))
        weights.remove_parallel_gradients()
        adam.step()
        weights.renormalise()
    return losses


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_fifty_steps_give_the_losses_of_the_dense_step(dtype, tolerance):
    unused = some_unused(6)
    objective = TopK(K, AUX_K, ALPHA)

    def dense(weights: Weights, z: torch.Tensor) -> torch.Tensor:
        expected = textbook.topk(weights, z, K, unused, AUX_K, ALPHA)
        for name in NAMES:
            weights.gradient(name).copy_(expected.gradients[name])
        return expected.loss

    def sparse(weights: Weights, z: torch.Tensor) -> torch.Tensor:
        return objective.step(weights, z, unused=unused, l1=0.0).total

    a = adam_steps(textbook.random_weights(S, D, dtype=dtype), dense, 50)
    b = adam_steps(textbook.random_weights(S, D, dtype=dtype), sparse, 50)
    assert a[-1] < a[0] / 1.5
    assert b == pytest.approx(a, rel=tolerance)


def test_bf16_proposes_and_float32_decides():
    """With an eighth more candidates than k, the kept values are float32's, not bf16's."""
    weights, z = (
        textbook.random_weights(200, 64, dtype=torch.float32),
        patches(5, torch.float32, 64, 64),
    )
    nothing = torch.zeros(200, dtype=torch.bool)
    exact = TopK(16, 8, ALPHA).step(weights, z, unused=nothing, l1=0.0)
    gradient = weights.gradient("W_dec").clone()
    rough = TopK(16, 8, ALPHA, "bf16").step(weights, z, unused=nothing, l1=0.0)
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
    objective, activity = TopK(2, 8, aux_weight), Activity(S)
    adam = torch.optim.Adam(weights.parameters(), lr=1e-2)
    for _ in range(150):
        chosen = torch.rand(256, S, generator=generator).topk(2, dim=1).indices
        z = 3 * hidden[chosen].sum(dim=1)
        unused = activity.unused(1000)
        fired = objective.step(weights, z, unused=unused, l1=0.0).fired
        weights.remove_parallel_gradients()
        adam.step()
        weights.renormalise()
        activity.update(fired, 256)
    assert (activity.dead_fraction(5000) < 0.1) == revived
    assert (activity.dead_fraction(5000) > 0.3) == (not revived)


def test_bf16_revives_unused_latents_too():
    weights, z = textbook.random_weights(S, D, dtype=torch.float32), patches(2, torch.float32)
    TopK(K, AUX_K, ALPHA, "bf16").step(weights, z, unused=some_unused(0), l1=0.0)
    before = weights.gradient("W_enc").clone()
    TopK(K, AUX_K, ALPHA, "bf16").step(weights, z, unused=some_unused(9), l1=0.0)
    changed = (weights.gradient("W_enc") != before).any(dim=1)
    assert changed.nonzero()[:, 0].tolist() == list(range(3, 12))
