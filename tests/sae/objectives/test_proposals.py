"""A bf16 product proposes, and float32 decides: the k largest are float32's in every row."""

import pytest
import torch

from saecli.sae.objectives import proposals
from saecli.sae.objectives.candidates import Reach
from saecli.sae.objectives.proposals import largest_by_bf16
from saecli.sae.trainer import train
from saecli.sae.weights import Weights
from tests.recorded import sparse_sums
from tests.sae.objectives import textbook
from tests.sae.test_trainer import IDENT, TOPK


def found(weights: Weights, z: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    out = torch.empty(len(z), len(weights.b_enc), dtype=torch.bfloat16, device=z.device)
    return largest_by_bf16(weights, z, k, out=out, low_W=weights.W_enc.bfloat16())


def assert_exact(weights: Weights, z: torch.Tensor, k: int) -> None:
    """As good as the float64 selection, to float32's own rounding; each value is its latent's."""
    kept, latents = found(weights, z, k)
    a = z.double() @ weights.W_enc.double().t() + weights.b_enc.double()
    close = {"rtol": 1e-5, "atol": 1e-5 * float(a.abs().max())}
    best = a.topk(k, dim=1).values
    torch.testing.assert_close(kept.double().sort(descending=True).values, best, **close)
    torch.testing.assert_close(a.gather(1, latents), kept.double(), **close)
    assert all(len(set(row)) == k for row in latents.tolist())


def test_of_trained_weights_every_row_is_float32_s(device):
    dictionary = train(sparse_sums(), TOPK, IDENT).dictionary
    weights = Weights(
        W_enc=dictionary.W_enc.t().contiguous().to(device),
        b_enc=dictionary.b_enc.to(device),
        W_dec=dictionary.W_dec.to(device),
        b_dec=dictionary.b_dec.to(device),
    )
    x = torch.cat([batch for _, batch in sparse_sums().batches(60)]).flatten(0, 1)
    for k in (2, 5, 48):
        assert_exact(weights, dictionary.normalise(x).to(device), k)


def nearly_alike(n_latents: int = 200, d_model: int = 64) -> tuple[Weights, torch.Tensor]:
    """Latents that bf16 can't tell apart."""
    generator = torch.Generator().manual_seed(0)
    weights = textbook.random_weights(n_latents, d_model, dtype=torch.float32)
    weights.W_enc[:] = weights.W_enc[:1] + 1e-3 * torch.randn(
        n_latents, d_model, generator=generator
    )
    weights.b_enc.zero_()
    return weights, torch.randn(50, d_model, generator=generator).abs() * weights.W_enc[:1].sign()


def test_rows_that_bf16_cannot_order_are_float32_s_too():
    assert_exact(*nearly_alike(), 8)


def test_without_the_proof_they_would_not_be(monkeypatch):
    """The test above can fail."""
    none = Reach(0.0, torch.zeros(50, 1), torch.zeros(200, 1))
    monkeypatch.setattr(proposals, "_reach", lambda *given: none)
    with pytest.raises(AssertionError):
        assert_exact(*nearly_alike(), 8)


def test_most_rows_of_ordinary_weights_need_no_float32_product(monkeypatch):
    """Of weights without structure, whose pre-activations are normal."""
    rows = []
    addmm = torch.addmm

    def counted(bias, first, second, **more):
        if second.shape == (64, 2000) and first.dtype == torch.float32:
            rows.append(len(first))
        return addmm(bias, first, second, **more)

    generator = torch.Generator().manual_seed(0)
    weights = textbook.random_weights(2000, 64, dtype=torch.float32)
    z = torch.randn(200, 64, generator=generator)
    monkeypatch.setattr(torch, "addmm", counted)
    found(weights, z, 32)
    assert sum(rows) < 20
