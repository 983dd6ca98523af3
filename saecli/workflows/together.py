"""Training under ``torchrun``: process 0 has the catalog and tells the others what to train."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.errors import Interrupted, SaecliError
from saecli.progress import SILENT, Progress

if TYPE_CHECKING:
    from saecli.activations.processes import Processes
    from saecli.sae.ranks import Ranks
    from saecli.workflows.train import Computing, Job


@dataclass(frozen=True)
class Order:
    """What process 0 trains with the others; its activations are recorded by then."""

    job: "Job"
    computing: "Computing"
    state: Path
    resume: bool


class Team:
    """The processes that train together, seen from the first; alone if there are no others."""

    def __init__(self, processes: "Processes | None" = None) -> None:
        self._processes = processes

    @property
    def size(self) -> int:
        return 1 if self._processes is None else self._processes.size

    def ranks(self) -> "Ranks":
        """Who works on each batch."""
        from saecli.sae.ranks import ALONE, Together

        here = self._processes
        return ALONE if here is None else Together(here.rank, here.size)

    def call(self, order: Order | None) -> None:
        """Have the others train, too; None sends them home."""
        if self._processes is not None:
            _passed_on(order)


ALONE = Team()


@contextmanager
def team(device: str, progress: Progress) -> Iterator[tuple[Team, str] | None]:
    """The team and this process's device; None in a process that has only followed.

    Raises:
        SaecliError: if the other processes can't be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE, device
        return
    from saecli.activations.processes import joined
    from saecli.backbones import resolve_device

    with joined() as here:
        device = here.device(resolve_device(device))
        if here.rank:
            _follow(here, device)
            yield None
            return
        progress.say(f"training in {here.size} processes")
        members = Team(here)
        try:
            yield members, device
        except Interrupted:  # the others are, too
            raise
        except SaecliError:
            members.call(None)
            raise
        members.call(None)


def _follow(here: "Processes", device: str) -> None:
    """Train with process 0 whatever it calls for; it is the one that reports."""
    from saecli.sae.ranks import Together
    from saecli.sae.trainer import train_together
    from saecli.workflows.train import open_inputs

    while (order := _passed_on(None)) is not None:
        computing = replace(order.computing, device=device)
        inputs = open_inputs(order.job, computing, SILENT)
        try:
            train_together(
                inputs.activations,
                list(order.job.dictionaries().values()),
                inputs.identity,
                device=inputs.device,
                precision=computing.precision,
                ranks=Together(here.rank, here.size),
                state=order.state,
                resume=order.resume,
            )
        except SaecliError:
            continue  # process 0 has the same one, and says it


def _passed_on(order: Order | None) -> Order | None:
    """Process 0's order, on all."""
    import torch.distributed as dist

    box = [order]
    dist.broadcast_object_list(box, src=0)
    return box[0]
