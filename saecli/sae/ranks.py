"""Who works on the same batch: this process alone, or several under ``torchrun``."""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor


class Ranks(Protocol):
    """The processes that train together; each holds all weights and a share of the batch."""

    @property
    def rank(self) -> int:
        """This one's number, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def add(self, values: Tensor) -> None:
        """Put the sum over all ranks in the place of values of one shape on all."""

    def gather(self, values: Tensor) -> Tensor:
        """The values (m,) of all ranks one after another; m may differ between them."""


class Alone:
    """One process."""

    rank = 0
    size = 1

    def add(self, values: Tensor) -> None:
        """See `Ranks.add`."""

    def gather(self, values: Tensor) -> Tensor:
        """See `Ranks.gather`."""
        return values


ALONE = Alone()


@dataclass(frozen=True)
class Together:
    """One of several processes that have joined a group of torch.distributed.

    Sums are the same bits on all of them.
    """

    rank: int
    size: int

    def add(self, values: Tensor) -> None:
        """See `Ranks.add`."""
        dist.all_reduce(values)

    def gather(self, values: Tensor) -> Tensor:
        """See `Ranks.gather`."""
        mine = torch.tensor([len(values)], device=values.device)
        lengths = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(lengths, mine)
        counts = [int(length) for length in lengths]
        padded = values.new_zeros(max(counts))
        padded[: len(values)] = values
        found = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(found, padded)
        return torch.cat([part[:count] for part, count in zip(found, counts, strict=True)])
