"""Every objective's loss and hand-written gradients against autograd on the textbook loss."""

from dataclasses import replace

import pytest
import torch

from saecli.sae.objectives.auxk import AuxK
from saecli.sae.objectives.batchtopk import BatchTopK
from saecli.sae.objectives.jumprelu import JumpRelu
from saecli.sae.objectives.prefixes import Prefixes
from saecli.sae.objectives.relu import ReluL1
from saecli.sae.objectives.topk import TopK
from saecli.sae.ranks import ALONE
from saecli.sae.weights import Weights
from tests.sae.objectives import textbook

D, S, N, K, AUX_K, ALPHA = 12, 40, 33, 5, 4, 0.25
L1, L0, BANDWIDTH, WARMTH = 0.05, 0.03, 0.8, 0.4
WIDTHS = [(), (7, 20)]
KINDS = ["topk", "batchtopk", "relu", "jumprelu"]


def patches(seed: int = 1, n: int = N) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, D, generator=generator, dtype=torch.float64)


def some_unused(n: int) -> torch.Tensor:
    unused = torch.zeros(S, dtype=torch.bool)
    unused[3 : 3 + n] = True
    return unused


def weights_of(kind: str, dtype=torch.float64, device: str = "cpu") -> Weights:
    weights = textbook.random_weights(S, D)
    if kind == "jumprelu":
        weights = replace(weights, log_threshold=torch.linspace(-3, 1, S, dtype=torch.float64))
    return Weights(**{name: t.to(device, dtype) for name, t in weights.tensors().items()})


def objective_of(kind: str, widths: tuple[int, ...], precision="float32"):
    prefixes = Prefixes((*widths, S))
    auxk = AuxK(AUX_K, ALPHA)
    return {
        "topk": lambda: TopK(prefixes, K, auxk, precision),
        "batchtopk": lambda: BatchTopK(prefixes, K, auxk, precision),
        "relu": lambda: ReluL1(prefixes, L1, precision),
        "jumprelu": lambda: JumpRelu(prefixes, L0, BANDWIDTH, K, precision),
    }[kind]()


def expected_of(kind: str, weights: Weights, z, unused, widths) -> textbook.Expected:
    weights = Weights(**{name: t.cpu().double() for name, t in weights.tensors().items()})
    if kind in ("topk", "batchtopk"):
        return getattr(textbook, kind)(weights, z, K, unused, AUX_K, ALPHA, widths)
    if kind == "relu":
        return textbook.relu_l1(weights, z, L1 * WARMTH, widths)
    return textbook.jumprelu(weights, z, L0 * WARMTH, BANDWIDTH, widths)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("n_unused", [0, 2, AUX_K, 17])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_the_textbooks(kind, widths, n_unused, dtype, device):
    """Over several batches, so that memory used again doesn't leak into the next."""
    weights, objective = weights_of(kind, dtype, device), objective_of(kind, widths)
    unused = some_unused(n_unused)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    for seed, n in ((1, N), (2, N), (3, 7), (4, N)):
        z = patches(seed, n)
        expected = expected_of(kind, weights, z, unused, widths)
        got = objective.step(
            weights, z.to(device, dtype), unused=unused.to(device), warmth=WARMTH, ranks=ALONE
        )
        torch.testing.assert_close(
            got.total.cpu().double(), expected.loss, rtol=tolerance, atol=tolerance
        )
        assert expected.gradients.keys() == weights.tensors().keys()
        for name, gradient in expected.gradients.items():
            torch.testing.assert_close(
                weights.gradient(name).cpu().double(), gradient, rtol=0, atol=tolerance
            )
        assert torch.equal(got.fired.cpu(), (expected.f > 0).any(dim=0))
        assert int(got.n_active) == int((expected.f > 0).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_the_reported_error_is_of_the_whole_dictionary(kind):
    weights, z = weights_of(kind), patches()
    plain, nested = (
        objective_of(kind, widths).step(weights, z, unused=some_unused(0), warmth=1.0, ranks=ALONE)
        for widths in WIDTHS
    )
    torch.testing.assert_close(nested.squared_error, plain.squared_error)


def adam_steps(kind: str, weights: Weights, gradients, n_steps: int) -> list[float]:
    adam = torch.optim.Adam(weights.parameters(), lr=1e-2)
    losses = []
    for step in range(n_steps):
        losses.append(float(gradients(weights, patches(100 + step).to(weights.W_enc.dtype))))
        weights.remove_parallel_gradients()
        adam.step()
        weights.renormalise()
    return losses


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("kind", ["topk", "batchtopk", "relu"])
def test_fifty_steps_give_the_losses_of_the_dense_step(kind, dtype, tolerance):
    unused, objective = some_unused(6), objective_of(kind, ())

    def dense(weights: Weights, z: torch.Tensor) -> torch.Tensor:
        expected = expected_of(kind, weights, z.double(), unused, ())
        for name, gradient in expected.gradients.items():
            weights.gradient(name).copy_(gradient)
        return expected.loss

    def fast(weights: Weights, z: torch.Tensor) -> torch.Tensor:
        return objective.step(weights, z, unused=unused, warmth=WARMTH, ranks=ALONE).total

    a = adam_steps(kind, weights_of(kind, dtype), dense, 50)
    b = adam_steps(kind, weights_of(kind, dtype), fast, 50)
    assert a[-1] < a[0] / 1.5
    assert b == pytest.approx(a, rel=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_stays_near_float32(kind):
    z = patches(5, 64).float()
    found = [
        float(
            objective_of(kind, (), precision)
            .step(weights_of(kind, torch.float32), z, unused=some_unused(0), warmth=1, ranks=ALONE)
            .total
        )
        for precision in ("float32", "bf16")
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-5 if kind == "topk" else 1e-2)
