"""Who works on the same batch: this process alone, or several under ``torchrun``."""

from typing import Protocol

from torch import Tensor


class Ranks(Protocol):
    """The processes that train one dictionary together; each holds all weights."""

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
