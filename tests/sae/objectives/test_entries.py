"""Products of chosen entries: the sparse ones, and the dense ones for other devices."""

import pytest
import torch

from saecli.sae.objectives.entries import DenseEntries, SparseEntries, even_starts, starts_of

N, S, D = 19, 30, 7


def chosen(*, even: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Starts and latents: four of each row, or as many as chance gives (none in some rows)."""
    generator = torch.Generator().manual_seed(0)
    if even:
        rows = [torch.randperm(S, generator=generator)[:4] for _ in range(N)]
        return even_starts(torch.stack(rows)), torch.cat(rows)
    rows, latents = (torch.rand(N, S, generator=generator) > 0.95).nonzero(as_tuple=True)
    starts = starts_of(rows, N)
    assert (starts.diff() == 0).any()
    return starts, latents


@pytest.mark.parametrize("kind", [SparseEntries, DenseEntries])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_products_are_those_of_the_full_matrix(kind, even, dtype, device):
    starts, latents = chosen(even=even)
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(len(latents), generator=generator, dtype=dtype)
    weights = torch.randn(S, D, generator=generator, dtype=dtype)
    g = torch.randn(N, D, generator=generator, dtype=dtype)
    full = torch.zeros(N, S, dtype=dtype)
    inner = torch.zeros(len(latents), dtype=dtype)
    for row in range(N):
        for at in range(int(starts[row]), int(starts[row + 1])):
            full[row, latents[at]] = values[at]
            inner[at] = g[row] @ weights[latents[at]]

    entries = kind(starts.to(device), latents.to(device), S)
    there = [tensor.to(device) for tensor in (values, g, weights)]
    close = {"rtol": 0, "atol": 1e-12 if dtype == torch.float64 else 1e-5}
    torch.testing.assert_close(entries.decode(there[0], there[2]).cpu(), full @ weights, **close)
    torch.testing.assert_close(entries.products(there[1], there[2]).cpu(), inner, **close)
    out = torch.full((S, D), float("nan"), dtype=dtype, device=device)
    entries.accumulate(there[0], there[1], out=out)
    torch.testing.assert_close(out.cpu(), full.t() @ g, **close)
    torch.testing.assert_close(entries.sums(there[0]).cpu(), full.sum(dim=0), **close)


@pytest.mark.parametrize("kind", [SparseEntries, DenseEntries])
def test_a_row_of_g_stands_for_as_many_rows_of_entries_as_there_are_more(kind, device):
    starts, latents = chosen(even=True)
    values = torch.randn(len(latents), generator=torch.Generator().manual_seed(1))
    entries = kind(starts[: 18 + 1].to(device), latents[: 18 * 4].to(device), S)
    g = torch.randn(6, D, generator=torch.Generator().manual_seed(2))
    few, many = torch.empty(S, D, device=device), torch.empty(S, D, device=device)
    entries.accumulate(values[: 18 * 4].to(device), g.to(device), out=few)
    entries.accumulate(values[: 18 * 4].to(device), g.repeat_interleave(3, 0).to(device), out=many)
    torch.testing.assert_close(few, many)


def test_a_latent_chosen_by_nobody_gets_zero():
    entries = SparseEntries(torch.tensor([0, 1, 2]), torch.tensor([1, 1]), 3)
    out = torch.full((3, 2), 9.0)
    entries.accumulate(torch.tensor([2.0, 3.0]), torch.eye(2), out=out)
    assert out.tolist() == [[0, 0], [2, 3], [0, 0]]
    assert entries.sums(torch.ones(2)).tolist() == [0, 2, 0]
