"""When a run's state is written: often where that is cheap, and never so that it ends the run."""

import time
from pathlib import Path

from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.sae.member import Diverged
from saecli.sae.run import Run
from saecli.sae.state import save_run

SAVE_SECONDS = 300.0  # of work that a killed run can lose, at most
SAVE_SHARE = 0.02  # of a run's time that saving may take
FIRST_SAVE = 1.0  # seconds: a shorter run is done again sooner than saved


class Saver:
    """Writes a run's state where there is a place for it."""

    def __init__(self, run: Run, state: Path | None, progress: Progress) -> None:
        self._run = run
        self._state = state
        self._progress = progress
        self._last = time.monotonic()
        self._wait = min(FIRST_SAVE, SAVE_SECONDS)
        self._step: int | None = None

    def save(self) -> None:
        """Save now."""
        if self._state is not None:
            started = time.monotonic()
            save_run(self._run.saved(), self._state)
            self._last = time.monotonic()
            self._wait = max(FIRST_SAVE, (self._last - started) / SAVE_SHARE)
            self._step = self._run.step

    def try_to_save(self) -> None:
        """Save on the way; a disk that is full now must not end a run that may still finish."""
        try:
            self.save()
        except SaecliError as error:
            self._last = time.monotonic()
            self._progress.say(f"the run goes on unsaved: {error}")

    def save_in_time(self) -> None:
        """Save if there is enough work to lose."""
        if time.monotonic() - self._last >= min(self._wait, SAVE_SECONDS):
            self.try_to_save()

    def explained(self, error: Diverged) -> SaecliError:
        """A divergence with what is left of the run."""
        if self._step is None:
            return error
        return SaecliError(
            f"{error.problem}; its state after step {self._step} is kept",
            "go on from there by the same command with --resume and a lower --lr than "
            f"{self._run.plan.lr:.2g}",
        )
