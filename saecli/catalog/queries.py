"""Many values in one query, within SQLite's limits."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import insert
from sqlalchemy.orm import Session

VARIABLES = 500  # values of one IN (…): well below the limit of any build of SQLite

T = TypeVar("T")


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists that fit one query."""
    chosen = list(values)
    return (chosen[i : i + VARIABLES] for i in range(0, len(chosen), VARIABLES))


def insert_rows(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> None:
    """Add rows to a table, or do nothing if there are none."""
    if rows:
        session.execute(insert(table), rows)
