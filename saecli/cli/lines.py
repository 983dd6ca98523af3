"""Progress for logs and pipes: a line every ten seconds and one at the end of each step."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from saecli.cli import streams
from saecli.cli.failures import one_line
from saecli.progress import Task
from saecli.render.numbers import duration, one_of_them, rate

SECONDS_BETWEEN_LINES = 10.0


class Lines:
    """Writes the lines; ``clock`` gives seconds that never run backwards."""

    def __init__(
        self,
        stream: TextIO,
        every: float = SECONDS_BETWEEN_LINES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream
        self.every = every
        self.clock = clock

    def say(self, message: str) -> None:
        streams.write(one_line(message), self.stream)

    def task(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Task]:
        return self._task(name, total, unit)

    @contextmanager
    def _task(self, name: str, total: int | None, unit: str) -> Iterator[Task]:
        task = _LineTask(self, name, total, unit)
        try:
            yield task
        except BaseException:
            self.say(f"{name}: stopped at {task.done_of_total()}")
            raise
        self.say(task.summary())


class _LineTask:
    def __init__(self, lines: Lines, name: str, total: int | None, unit: str) -> None:
        self.lines, self.name, self.total, self.unit = lines, name, total, unit
        self.done = 0
        self.note = ""
        self.started = self.spoken = lines.clock()

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n
        self.note = note or self.note
        now = self.lines.clock()
        if now - self.spoken >= self.lines.every and self.done != self.total:
            self.spoken = now
            self.lines.say(self.state(now))

    def done_of_total(self) -> str:
        total = "" if self.total is None else f"/{self.total:,}"
        whole = self.done if self.total is None else self.total
        return f"{self.done:,}{total} {self._units(whole)}"

    def _units(self, n: int) -> str:
        return one_of_them(self.unit) if n == 1 else self.unit

    def state(self, now: float) -> str:
        parts = [f"{self.name}: {self.done_of_total()}"]
        speed = self.done / (now - self.started)
        if self.total:
            parts[0] += f" ({self.done / self.total:.0%})"
        if speed > 0:
            parts.append(rate(speed))
            if self.total is not None and self.total > self.done:
                parts.append(f"{duration((self.total - self.done) / speed)} left")
        return ", ".join([*parts, *filter(None, [self.note])])

    def summary(self) -> str:
        seconds = self.lines.clock() - self.started
        text = f"{self.name}: {self.done:,} {self._units(self.done)} in {duration(seconds)}"
        if self.done and seconds >= 1:
            text += f" ({rate(self.done / seconds)})"
        return ", ".join([text, *filter(None, [self.note])])
