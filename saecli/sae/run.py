"""A training run under way: one stream of batches and the dictionaries that are trained on it.

All that changes from step to step is saved and restored whole. What is read is read once for all
dictionaries, and each comes out as if it were trained alone.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from saecli.activations.source import Position, Source
from saecli.errors import SaecliError
from saecli.sae.interrupts import held_interrupts
from saecli.sae.member import Diverged, Member
from saecli.sae.model import Identity
from saecli.sae.objectives import Buffers, Precision
from saecli.sae.plan import Plan, resolve
from saecli.sae.points import TrainingPoint
from saecli.sae.ranks import ALONE, Ranks
from saecli.sae.settings import TrainSettings
from saecli.sae.state import SavedRun
from saecli.sae.weights import Normalisation

SHARED = ("n_steps", "batch", "estimate", "held_out", "held_out_most", "seed", "metrics_every")


@dataclass(frozen=True)
class Point:
    """What one dictionary (its number in the run) reports, or why it is trained no further."""

    member: int
    figures: TrainingPoint | None
    lost: str | None = None


class Run:
    """A run between two steps; every method leaves it so, whatever interrupts it.

    ``members`` are the dictionaries by their number; ``lost`` has the sentence of those that
    diverged and are trained no further.
    """

    def __init__(
        self,
        source: Source,
        settings: Sequence[TrainSettings],
        identity: Identity,
        device: str,
        precision: Precision,
        ranks: Ranks = ALONE,
    ) -> None:
        """Resolve the plans; weights are there after `begin` or `restore`.

        Raises:
            SaecliError: if the settings can't be meant, or not in one run.
        """
        self.source = source
        self.identity = identity
        self.device = torch.device(device)
        self.ranks = ranks
        first = settings[0]
        self.split = source.split(first.held_out, first.held_out_most, first.seed)
        self._n_patches = len(self.split.train) * source.grid.n_patches
        plans = [resolve(one, source.d_model, self._n_patches) for one in settings]
        self.plan = plans[0]
        _check_together(plans)
        if self.plan.batch % ranks.size:
            raise SaecliError(
                f"a batch of {self.plan.batch:,} patches has no {ranks.size} equal shares for as "
                "many processes",
                f"give a --batch that {ranks.size} divides",
                usage=True,
            )
        buffers = Buffers()
        self.members = {
            number: Member(plan, identity, self.device, precision, buffers)
            for number, plan in enumerate(plans)
        }
        self.plans = plans
        self.lost: dict[int, str] = {}
        self.step = 0
        self._position = Position()

    def begin(self) -> None:
        """Estimate mean and scale from the first patches, and start the weights from data."""
        plan = self.plan
        stream = self.source.shuffled(self.split.train, plan.seed)
        n = min(plan.estimate, self._n_patches)
        mine = stream.draw(n, (self.ranks.rank, self.ranks.size))
        sample = self.ranks.gather(mine.flatten()).view(n, -1)
        normalisation = Normalisation.estimate(sample)
        z = normalisation.apply(sample)
        self._normalisation = normalisation.to(self.device)
        for member in self.members.values():
            member.begin(normalisation, sample, z)

    def restore(self, saved: SavedRun) -> None:
        """Continue where a saved run stopped."""
        mean, scale = saved.normalisation["mean"], saved.normalisation["scale"]
        normalisation = Normalisation(mean, scale, saved.variance)
        self._normalisation = normalisation.to(self.device)
        self.lost = dict(saved.lost)
        self.members = {
            number: member for number, member in self.members.items() if number not in self.lost
        }
        for number, member in self.members.items():
            member.restore(saved.members[number], self._normalisation)
        self.step, self._position = saved.step, saved.position

    def saved(self) -> SavedRun:
        """The state between two steps."""
        normalisation = self._normalisation
        return SavedRun(
            plans=self.plans,
            identity=self.identity,
            pictures=self.source.fingerprint,
            step=self.step,
            position=self._position,
            normalisation={"mean": normalisation.mean.cpu(), "scale": normalisation.scale.cpu()},
            variance=normalisation.variance,
            members={number: one.saved(self.step) for number, one in self.members.items()},
            lost=self.lost,
        )

    def open_stream(self) -> None:
        """Start reading where the run stands."""
        self._stream = self.source.shuffled(self.split.train, self.plan.seed, self._position)

    def advance(self) -> list[Point]:
        """Do one step; a point of each dictionary where an interval ends, else none.

        Raises:
            Diverged: if the only dictionary, or every one that was left, did.
        """
        started = time.perf_counter()
        x = self._stream.draw(self.plan.batch, (self.ranks.rank, self.ranks.size))
        with held_interrupts():
            z = self._normalisation.apply(x.to(self.device))
            reading = (time.perf_counter() - started) / len(self.members)
            for member in self.members.values():
                member.update(z, self.step, self.ranks, reading)
            self._position = self._stream.position
            self.step += 1
        if self.step % self.plan.metrics_every and self.step < self.plan.n_steps:
            return []
        return self._points()

    def _points(self) -> list[Point]:
        points = []
        diverged: dict[int, Diverged] = {}
        for number, member in self.members.items():
            try:
                points.append(Point(number, member.point(self.step)))
            except Diverged as error:
                diverged[number] = error
                points.append(Point(number, None, error.problem))
        if len(diverged) == len(self.members):
            raise next(iter(diverged.values()))
        for number, why in diverged.items():
            del self.members[number]
            self.lost[number] = why.problem
        return points


def _check_together(plans: Sequence[Plan]) -> None:
    for plan in plans[1:]:
        for name in SHARED:
            if getattr(plan, name) != getattr(plans[0], name):
                raise SaecliError(
                    f"dictionaries trained together have one {name}",
                    "train them by several commands",
                    usage=True,
                )
