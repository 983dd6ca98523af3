"""The few chosen entries of a (rows, latents) matrix, and the products that need only them.

A row is a patch, or, in nested dictionaries, a patch's latents of one group (see `prefixes`).
`SparseEntries` does the work of the entries alone; `DenseEntries` gives the same from full
matrices, for devices without PyTorch's sparse operations (Apple's MPS).
"""

import warnings
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

_SPARSE_DEVICES = ("cpu", "cuda")


class Entries(Protocol):
    """m entries, row by row; ``latents`` (m,) int64 says which latent each is of.

    Values are given to each product, (m,).
    """

    latents: Tensor

    def decode(self, values: Tensor, weights: Tensor) -> Tensor:
        """(rows, d): for each row the sum of its latents' weights (n_latents, d) times values."""

    def products(self, g: Tensor, weights: Tensor) -> Tensor:
        """(m,): inner products of each row's g (rows, d) with its latents' weights."""

    def accumulate(self, values: Tensor, g: Tensor, *, out: Tensor) -> None:
        """Write into (n_latents, d): for each latent the sum over its rows of value times g.

        Where g has fewer rows, each stands for as many successive ones.
        """

    def sums(self, values: Tensor) -> Tensor:
        """(n_latents,): the sum of each latent's values."""


def entries_of(starts: Tensor, latents: Tensor, n_latents: int) -> Entries:
    """The entries of rows that begin at ``starts`` (rows + 1,), as suits their device.

    No latent may come twice in a row.
    """
    if latents.device.type in _SPARSE_DEVICES:
        return SparseEntries(starts, latents, n_latents)
    return DenseEntries(starts, latents, n_latents)


def even_starts(latents: Tensor) -> Tensor:
    """Where the rows of latents (n, k) begin once flattened: (n + 1,) int64."""
    n, k = latents.shape
    return torch.arange(0, n * k + 1, max(k, 1), device=latents.device)


def starts_of(rows: Tensor, n_rows: int) -> Tensor:
    """Where each of n_rows rows begins among the ascending row numbers (m,): (n_rows + 1,)."""
    starts = torch.zeros(n_rows + 1, dtype=torch.int64, device=rows.device)
    torch.cumsum(torch.bincount(rows, minlength=n_rows), dim=0, out=starts[1:])
    return starts


def rows_of(starts: Tensor, n_entries: int) -> Tensor:
    """The row number of each entry, (m,) int64."""
    numbers = torch.arange(len(starts) - 1, device=starts.device)
    return torch.repeat_interleave(numbers, starts.diff(), output_size=n_entries)


class SparseEntries:
    """Read row by row for the first two products, latent by latent for the other two.

    Sorting the entries by latent once turns both weight gradients into products of a sparse
    (n_latents, rows) matrix, with sums in a fixed order.
    """

    def __init__(self, starts: Tensor, latents: Tensor, n_latents: int) -> None:
        self.latents = latents
        self._starts = starts
        self._n_latents = n_latents
        self._order: Tensor | None = None

    def decode(self, values: Tensor, weights: Tensor) -> Tensor:
        """See `Entries.decode`."""
        return embedding_bag(
            self.latents,
            weights,
            self._starts,
            per_sample_weights=values,
            mode="sum",
            include_last_offset=True,
        )

    def products(self, g: Tensor, weights: Tensor) -> Tensor:
        """See `Entries.products`."""
        zeros = torch.zeros(len(self.latents), dtype=g.dtype, device=g.device)
        shape = (len(self._starts) - 1, self._n_latents)
        at = _csr(self._starts, self.latents, zeros, shape)
        sampled: Tensor = torch.sparse.sampled_addmm(at, g, weights.t(), beta=0)
        return sampled.values()

    def accumulate(self, values: Tensor, g: Tensor, *, out: Tensor) -> None:
        """See `Entries.accumulate`."""
        order = self._sort()
        each = (len(self._starts) - 1) // len(g)
        rows = self._rows if each == 1 else self._rows // each
        by_latent = _csr(self._latent_starts, rows, values[order], (self._n_latents, len(g)))
        torch.addmm(out, by_latent, g, beta=0, out=out)

    def sums(self, values: Tensor) -> Tensor:
        """See `Entries.sums`."""
        ordered = values[self._sort()]
        return torch.segment_reduce(ordered, "sum", lengths=self._latent_starts.diff())

    def _sort(self) -> Tensor:
        if self._order is None:
            ordered, self._order = torch.sort(self.latents, stable=True)
            self._latent_starts = starts_of(ordered, self._n_latents)
            self._rows = rows_of(self._starts, len(ordered))[self._order]
        return self._order


class DenseEntries:
    """The same products from full (rows, n_latents) matrices."""

    def __init__(self, starts: Tensor, latents: Tensor, n_latents: int) -> None:
        self.latents = latents
        self._rows = rows_of(starts, len(latents))
        self._shape = (len(starts) - 1, n_latents)

    def decode(self, values: Tensor, weights: Tensor) -> Tensor:
        """See `Entries.decode`."""
        return self._full(values) @ weights

    def products(self, g: Tensor, weights: Tensor) -> Tensor:
        """See `Entries.products`."""
        return (g @ weights.t())[self._rows, self.latents]

    def accumulate(self, values: Tensor, g: Tensor, *, out: Tensor) -> None:
        """See `Entries.accumulate`."""
        each = self._shape[0] // len(g)
        torch.mm(self._full(values).t(), g.repeat_interleave(each, dim=0), out=out)

    def sums(self, values: Tensor) -> Tensor:
        """See `Entries.sums`."""
        return self._full(values).sum(dim=0)

    def _full(self, values: Tensor) -> Tensor:
        return values.new_zeros(self._shape).index_put_((self._rows, self.latents), values)


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
