"""The processes that share a job: this one alone, or those that ``torchrun`` started.

Source of the variables: torchrun's documentation, "Environment Variables".
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from saecli.errors import SaecliError

LONGEST_WAIT = timedelta(days=7)  # while the first process works alone

Value = TypeVar("Value")


@dataclass(frozen=True)
class Processes:
    """This process among those that share a job.

    Attributes:
        rank: this one's number, from 0; only 0 writes to the catalog and reports.
        size: how many there are.
        local: this one's number on its machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    def device(self, resolved: str) -> str:
        """The device of this process, where each takes a GPU of its own."""
        return f"cuda:{self.local}" if self.size > 1 and resolved == "cuda" else resolved

    def wait(self) -> None:
        """Until all have come here."""
        if self.size > 1:
            dist.barrier()

    def gather(self, value: Value) -> list[Value] | None:
        """Every process's value by rank on process 0, None on the others."""
        if self.size == 1:
            return [value]
        found: list[Any] | None = [None] * self.size if self.rank == 0 else None
        dist.gather_object(value, found)
        return found


@contextmanager
def joined() -> Iterator[Processes]:
    """This process among those of ``torchrun`` (gloo on CPUs, NCCL on GPUs), or alone.

    Raises:
        SaecliError: if the others can't be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes()
        return
    here = Processes(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(here.local)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=LONGEST_WAIT
        )
    except (RuntimeError, ValueError, dist.DistError) as error:
        raise SaecliError(
            f"process {here.rank} of {size} can't reach the others "
            f"({(str(error).splitlines() or [''])[0]})",
            "start all of them with torchrun, or run the command without it",
        ) from error
    try:
        yield here
    finally:
        dist.destroy_process_group()
