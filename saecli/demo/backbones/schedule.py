"""A training schedule in time instead of steps: it ends when the time is up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path


class Clock:
    """Counts a training's progress from 0 to 1 in this process's own CPU time.

    A shared machine gives a process an unknown share of a core, so neither steps nor
    wall-clock time say how far a training of so many CPU minutes has come. Each tick takes
    that part of the remaining progress which the elapsed time is of the remaining time; the
    end may therefore be moved at any moment and the schedule bends to it without a jump.

    Args:
        seconds: CPU seconds still to spend.
        progress: where to start, 0-1 (a resumed training).
        deadline: a file that may hold a local date and time (ISO 8601) by which to be done
            whatever the CPU time; it is read again at every tick, and need not exist.
        cpu: the clock of CPU seconds.
        wall: the clock of the deadline, seconds since the epoch.
    """

    def __init__(
        self,
        seconds: float,
        progress: float = 0.0,
        deadline: Path | None = None,
        *,
        cpu: Callable[[], float] = time.process_time,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.seconds_left = seconds
        self.progress = progress
        self._deadline = deadline
        self._cpu, self._wall = cpu, wall
        self._last_cpu, self._last_wall = cpu(), wall()

    def tick(self) -> float:
        """Bring the progress up to now and return it, 0-1."""
        cpu, wall = self._cpu(), self._wall()
        spent, passed = cpu - self._last_cpu, wall - self._last_wall
        self._last_cpu, self._last_wall = cpu, wall
        share = spent / max(self.seconds_left, 1e-9)
        self.seconds_left -= spent
        end = self._read_deadline()
        if end is not None:
            share = max(share, passed / max(end - wall + passed, 1e-9))
        self.progress += (1 - self.progress) * min(share, 1.0)
        if self.seconds_left <= 0 or (end is not None and wall >= end):
            self.progress = 1.0
        return self.progress

    def _read_deadline(self) -> float | None:
        if self._deadline is None or not self._deadline.is_file():
            return None
        return datetime.fromisoformat(self._deadline.read_text().strip()).timestamp()


def cosine_rate(peak: float, progress: float, step: int, warmup: int, final: float) -> float:
    """The learning rate: linear warm-up over steps, then a cosine over the progress.

    Args:
        peak: the highest rate.
        progress: 0-1, see `Clock`.
        step: 0-based.
        warmup: steps over which the rate rises from 0.
        final: the rate at progress 1, as a share of the peak.
    """
    falling = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    return peak * falling * min(1.0, (step + 1) / warmup)
