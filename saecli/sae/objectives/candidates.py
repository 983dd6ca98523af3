"""The few entries of each row among which its k largest are, found through groups of neighbours.

The k-th largest of the groups' largest is no more than the row's k-th largest, since k groups have
an entry as large. So what is smaller can't be among the k largest, and groups whose largest is
smaller needn't be looked at again: one pass over the matrix, and sorting of few entries.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from saecli.sae.objectives.entries import starts_of

LARGEST_GROUP = 32
GROUPS_FOR_K = 2  # at least so many times k groups, so that the bound is near
MOST_FOR_K = 8  # rows with more than so many times k candidates are left to others


@dataclass(frozen=True)
class Candidates:
    """Entries of a matrix, row by row.

    Attributes:
        rows: (m,) int64, ascending.
        latents: (m,) int64, columns.
        values: (m,).
        starts: (n + 1,) int64, where each row's begin.
        left: (n_left,) int64, rows that have none here: bounds that say nothing, or NaN.
    """

    rows: Tensor
    latents: Tensor
    values: Tensor
    starts: Tensor
    left: Tensor

    def best(self, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k largest scores (m,) of each row and their latents, (n, k), in no order.

        Rows that were left hold nothing of use.
        """
        n = len(self.starts) - 1
        widest = max(k, int(self.starts.diff().max()))
        at = torch.arange(len(scores), device=scores.device) - self.starts[self.rows]
        at += self.rows * widest
        padded = scores.new_full((n * widest,), -torch.inf).index_copy_(0, at, scores)
        names = self.latents.new_zeros(n * widest).index_copy_(0, at, self.latents)
        kept, best = torch.topk(padded.view(n, widest), k, dim=1, sorted=False)
        return kept, names.view(n, widest).gather(1, best)


@dataclass(frozen=True)
class Reach:
    """How far entry (i, j) may be from the value that counts: relative·|a| + Σ rows·columns.

    Attributes:
        relative: a share of the entry itself.
        rows: (n, t).
        columns: (n_latents, t).
    """

    relative: float
    rows: Tensor
    columns: Tensor

    def of_groups(self, a: Tensor, size: int) -> Tensor:
        """(n, groups), of any entry between 0 and a (n, groups) in groups of so many columns."""
        columns = self.columns.view(-1, size, self.columns.shape[1]).amax(dim=1)
        return torch.addmm(a.abs().mul_(self.relative), self.rows, columns.t())

    def of(self, a: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """(m,), of entries a (m,) in these rows and columns."""
        return a.abs() * self.relative + (self.rows[rows] * self.columns[columns]).sum(dim=1)


def size_of_groups(n_latents: int, k: int) -> int:
    """Neighbours to a group: a power of two that divides all latents, 1 where k is large."""
    size = LARGEST_GROUP
    while size > 1 and (n_latents % size or n_latents // size < GROUPS_FOR_K * k):
        size //= 2
    return size


def candidates(a: Tensor, k: int, reach: Reach | None = None) -> Candidates:
    """All entries that may be among their row's k largest.

    Args:
        a: (n, n_latents), float32 or bf16, contiguous.
        k: at most n_latents.
        reach: of what a value may be off; none if a is exact.
    """
    n, n_latents = a.shape
    size = size_of_groups(n_latents, k)
    n_groups = n_latents // size
    most = _largest(a.view(n, n_groups, size))
    if reach is None:
        floor = _kth(most, k)
        bounds = floor[:, None].expand(most.shape)
    else:
        off = reach.of_groups(most, size)
        floor = _kth(most - off, k)
        floor[floor <= off.amax(dim=1)] = torch.inf  # below 0 a group's largest isn't known
        bounds = floor[:, None] - off
    groups = _where(most >= bounds)
    row = torch.div(groups, n_groups, rounding_mode="floor")
    within = a.view(-1, size).index_select(0, groups).to(most.dtype)
    hits = _where(within >= bounds.reshape(-1)[groups][:, None])
    group = torch.div(hits, size, rounding_mode="floor")
    values, rows = within.view(-1)[hits], row[group]
    latents = (groups[group] - rows * n_groups) * size + hits - group * size
    if reach is not None:
        near = values + reach.of(values, rows, latents) >= floor[rows]
        values, rows, latents = values[near], rows[near], latents[near]
    counts = torch.bincount(rows, minlength=n)
    fits = (counts >= k) & (counts <= MOST_FOR_K * k)
    left = _where(~fits)
    if len(left):
        kept = fits[rows]
        values, rows, latents = values[kept], rows[kept], latents[kept]
    return Candidates(rows, latents, values, starts_of(rows, n), left)


def k_largest(a: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row of (n, n_latents) and their latents, both (n, k), in no order.

    Of equal ones either may be taken. On the CPU PyTorch's own selection takes three times as long.
    """
    if a.device.type != "cpu" or size_of_groups(a.shape[1], k) < LARGEST_GROUP:
        return torch.topk(a, k, dim=1, sorted=False)
    found = candidates(a, k)
    kept, latents = found.best(found.values, k)
    if len(found.left):
        kept[found.left], latents[found.left] = torch.topk(a[found.left], k, dim=1, sorted=False)
    return kept, latents


def _largest(groups: Tensor) -> Tensor:
    """(n, n_groups) of (n, n_groups, size), in float32 if they are bf16.

    Positive bf16 numbers are ordered as the integers of the same bits are, and those PyTorch
    compares four times as fast. Of a group without a positive one it is any of them.
    """
    if groups.dtype != torch.bfloat16:
        return groups.amax(dim=2)
    return groups.view(torch.int16).amax(dim=2).view(torch.bfloat16).float()


def _where(mask: Tensor) -> Tensor:
    """The positions (m,) int64 of what is true, flattened; NumPy's way is faster on the CPU."""
    if mask.device.type != "cpu":
        return mask.view(-1).nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def _kth(values: Tensor, k: int) -> Tensor:
    """(n,): the k-th largest of each row; NumPy's partition is vectorised, PyTorch's isn't."""
    if values.device.type != "cpu":
        return torch.topk(values, k, dim=1, sorted=False).values.amin(dim=1)
    at = values.shape[1] - k
    return torch.from_numpy(np.partition(values.numpy(), at, axis=1)[:, at].copy())
