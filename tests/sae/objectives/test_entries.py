"""Products of chosen entries: the sparse ones, and the dense ones for other devices."""

import pytest
import torch

from saecli.sae.objectives.entries import DenseEntries, SparseEntries

N, S, K, D = 19, 30, 4, 7


@pytest.mark.parametrize("kind", [SparseEntries, DenseEntries])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_products_are_those_of_the_full_matrix(kind, dtype):
    generator = torch.Generator().manual_seed(0)
    latents = torch.stack([torch.randperm(S, generator=generator)[:K] for _ in range(N)])
    values = torch.randn(N, K, generator=generator, dtype=dtype)
    rows = torch.randn(S, D, generator=generator, dtype=dtype)
    g = torch.randn(N, D, generator=generator, dtype=dtype)
    full = torch.zeros(N, S, dtype=dtype)
    for patch in range(N):
        for at in range(K):
            full[patch, latents[patch, at]] = values[patch, at]

    entries = kind(latents, S)
    close = {"rtol": 0, "atol": 1e-12 if dtype == torch.float64 else 1e-5}
    torch.testing.assert_close(entries.decode(values, rows), full @ rows, **close)
    inner = (g[:, None] * rows[latents]).sum(dim=2)
    torch.testing.assert_close(entries.products(g, rows), inner, **close)
    out = torch.full((S, D), float("nan"), dtype=dtype)
    entries.accumulate(values, g, out=out)
    torch.testing.assert_close(out, full.t() @ g, **close)
    torch.testing.assert_close(entries.sums(values), full.sum(dim=0), **close)


def test_a_latent_chosen_by_nobody_gets_zero():
    entries = SparseEntries(torch.tensor([[1], [1]]), 3)
    out = torch.full((3, 2), 9.0)
    entries.accumulate(torch.tensor([[2.0], [3.0]]), torch.eye(2), out=out)
    assert out.tolist() == [[0, 0], [2, 3], [0, 0]]
    assert entries.sums(torch.ones(2, 1)).tolist() == [0, 2, 0]
