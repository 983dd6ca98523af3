"""The k largest of each row through groups of neighbours: those of a full sort, in every row."""

import pytest
import torch

from saecli.sae.objectives.candidates import (
    LARGEST_GROUP,
    candidates,
    k_largest,
    size_of_groups,
)

K = 8
WIDTH = 32 * 2 * K  # wide enough for groups of the full size


def rows_of(kind: str, n: int = 60, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(n, WIDTH, generator=generator)
    if kind == "negative":
        a = -a.abs() - 1
    if kind == "equal":
        a[::2] = 1.0
    if kind == "few values":
        a = a.round()
    if kind == "in one group":
        a[:, :LARGEST_GROUP] += 100
    return a.to(dtype)


@pytest.mark.parametrize("kind", ["normal", "negative", "equal", "few values", "in one group"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_are_those_of_a_full_sort(kind, dtype):
    a = rows_of(kind, dtype=dtype)
    assert size_of_groups(WIDTH, K) == LARGEST_GROUP
    kept, latents = k_largest(a, K)
    best = a.sort(dim=1, descending=True).values[:, :K]
    assert torch.equal(kept.sort(dim=1, descending=True).values, best)
    assert torch.equal(a.gather(1, latents), kept)
    assert all(len(set(row)) == K for row in latents.tolist())


@pytest.mark.parametrize(("width", "k"), [(40, 5), (33, 33), (512, 300), (96, 3), (1, 1)])
def test_widths_without_whole_groups_too(width, k):
    a = torch.randn(7, width, generator=torch.Generator().manual_seed(1))
    kept, latents = k_largest(a, k)
    assert torch.equal(kept.sort(dim=1).values, a.sort(dim=1).values[:, width - k :])
    assert torch.equal(a.gather(1, latents), kept)


def test_what_is_not_a_number_stays_in_its_row():
    """A run that diverges is told so by its loss, not by a crash in the selection."""
    a = rows_of("normal")
    a[3] = torch.nan
    kept, _ = k_largest(a, K)
    assert kept[3].isnan().all()
    others = torch.arange(len(a)) != 3
    assert torch.equal(
        kept[others].sort(dim=1).values, a[others].sort(dim=1).values[:, WIDTH - K :]
    )


def test_few_entries_are_candidates():
    found = candidates(rows_of("normal"), K)
    assert len(found.left) == 0
    assert K <= len(found.values) / 60 < 2 * K
