"""The record of one run of a command: what every row that it writes points to."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Self

from sqlalchemy import update
from sqlalchemy.orm import Session

from saecli.catalog.tables import Invocation as InvocationRow
from saecli.catalog.tables import now
from saecli.errors import SaecliError

Writing = Callable[[], AbstractContextManager[Session]]


class Invocation:
    """One run of a command, open while its ``with`` block runs.

    Leaving the block records the end: done (exit code 0), interrupted (130), or failed (1), with
    the sentence it failed with.
    """

    id: int
    uuid: str

    def __init__(
        self,
        writing: Writing,
        command: str,
        arguments: Sequence[str],
        settings: Mapping[str, Any] | None,
        seed: int | None,
        versions: Mapping[str, Any] | None,
    ) -> None:
        self._writing = writing
        self.settings = dict(settings or {})
        self.uuid = str(uuid.uuid4())
        row = InvocationRow(
            uuid=self.uuid,
            command=command,
            arguments=list(arguments),
            settings=self.settings,
            seed=seed,
            versions=dict(versions or {}),
        )
        with writing() as session:
            session.add(row)
            session.flush()
            self.id = row.id

    def resolve(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        versions: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the settings once the defaults are filled in; None leaves a value as it is."""
        values: dict[str, Any] = {}
        if settings is not None:
            self.settings = values["settings"] = dict(settings)
        if seed is not None:
            values["seed"] = seed
        if versions is not None:
            values["versions"] = dict(versions)
        self._update(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish("done", 0, None)
            return
        # What went wrong first is what the user must see, even if this can't be recorded.
        with suppress(SaecliError):
            if isinstance(error, KeyboardInterrupt):
                self._finish("interrupted", 130, None)
            else:
                self._finish("failed", 1, str(error) or type(error).__name__)

    def _finish(self, status: str, exit_code: int, problem: str | None) -> None:
        self._update({"status": status, "exit_code": exit_code, "problem": problem, "ended": now()})

    def _update(self, values: dict[str, Any]) -> None:
        with self._writing() as session:
            session.execute(
                update(InvocationRow).where(InvocationRow.id == self.id).values(**values)
            )
