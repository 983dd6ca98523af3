"""The few chosen entries of a (patches, latents) matrix, and the products that need only them.

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
    """Entries (n, k): ``latents`` says which; values are given to each product."""

    latents: Tensor

    def decode(self, values: Tensor, rows: Tensor) -> Tensor:
        """(n, d): for each patch the sum of its latents' rows (n_latents, d) times values."""

    def products(self, g: Tensor, rows: Tensor) -> Tensor:
        """(n, k): inner products of each patch's g (n, d) with its latents' rows."""

    def accumulate(self, values: Tensor, g: Tensor, *, out: Tensor) -> None:
        """Write into (n_latents, d): for each latent the sum over its patches of value times g."""

    def sums(self, values: Tensor) -> Tensor:
        """(n_latents,): the sum of each latent's values."""


def entries_of(latents: Tensor, n_latents: int) -> Entries:
    """The entries at ``latents`` (n, k), no latent twice in a row, as suits their device."""
    if latents.device.type in _SPARSE_DEVICES:
        return SparseEntries(latents, n_latents)
    return DenseEntries(latents, n_latents)


class SparseEntries:
    """Read patch by patch for the first two products, latent by latent for the other two.

    Sorting the entries by latent once turns both weight gradients into products of a sparse
    (n_latents, n) matrix, with sums in a fixed order.
    """

    def __init__(self, latents: Tensor, n_latents: int) -> None:
        self.latents = latents
        self._n_latents = n_latents
        self._order: Tensor | None = None

    def decode(self, values: Tensor, rows: Tensor) -> Tensor:
        """See `Entries.decode`."""
        return embedding_bag(self.latents, rows, per_sample_weights=values, mode="sum")

    def products(self, g: Tensor, rows: Tensor) -> Tensor:
        """See `Entries.products`."""
        n, k = self.latents.shape
        starts = torch.arange(0, n * k + 1, k, device=g.device)
        zeros = torch.zeros(n * k, dtype=g.dtype, device=g.device)
        at = _csr(starts, self.latents.flatten(), zeros, (n, self._n_latents))
        sampled: Tensor = torch.sparse.sampled_addmm(at, g, rows.t(), beta=0)
        return sampled.values().view(n, k)

    def accumulate(self, values: Tensor, g: Tensor, *, out: Tensor) -> None:
        """See `Entries.accumulate`."""
        order = self._sort()
        starts = torch.zeros(self._n_latents + 1, dtype=torch.int64, device=g.device)
        torch.cumsum(self._counts, dim=0, out=starts[1:])
        patches = order // self.latents.shape[1]
        shape = (self._n_latents, self.latents.shape[0])
        torch.addmm(out, _csr(starts, patches, values.flatten()[order], shape), g, beta=0, out=out)

    def sums(self, values: Tensor) -> Tensor:
        """See `Entries.sums`."""
        ordered = values.flatten()[self._sort()]
        return torch.segment_reduce(ordered, "sum", lengths=self._counts)

    def _sort(self) -> Tensor:
        if self._order is None:
            ordered, self._order = torch.sort(self.latents.flatten(), stable=True)
            self._counts = torch.bincount(ordered, minlength=self._n_latents)
        return self._order


class DenseEntries:
    """The same products from full (n, n_latents) matrices."""

    def __init__(self, latents: Tensor, n_latents: int) -> None:
        self.latents = latents
        self._n_latents = n_latents

    def decode(self, values: Tensor, rows: Tensor) -> Tensor:
        """See `Entries.decode`."""
        return self._full(values) @ rows

    def products(self, g: Tensor, rows: Tensor) -> Tensor:
        """See `Entries.products`."""
        return (g @ rows.t()).gather(1, self.latents)

    def accumulate(self, values: Tensor, g: Tensor, *, out: Tensor) -> None:
        """See `Entries.accumulate`."""
        torch.mm(self._full(values).t(), g, out=out)

    def sums(self, values: Tensor) -> Tensor:
        """See `Entries.sums`."""
        return self._full(values).sum(dim=0)

    def _full(self, values: Tensor) -> Tensor:
        full = values.new_zeros(self.latents.shape[0], self._n_latents)
        return full.scatter_(1, self.latents, values)


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
