"""The callback that long steps report to; the terminal's bars are one implementation of it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One running step."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Say that n more units are done; ``note`` is a short figure to show beside the bar."""


class Progress(Protocol):
    """Where steps announce themselves."""

    def task(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Task]:
        """Start a step of ``total`` units (None: unknown), e.g. ("recording", 4000, "images")."""

    def say(self, message: str) -> None:
        """A line for the user that is no part of the result."""


class _SilentTask:
    def advance(self, n: int = 1, note: str = "") -> None:
        pass


class _Silent:
    @contextmanager
    def task(self, name: str, total: int | None, unit: str) -> Iterator[Task]:
        yield _SilentTask()

    def say(self, message: str) -> None:
        pass


SILENT: Progress = _Silent()
