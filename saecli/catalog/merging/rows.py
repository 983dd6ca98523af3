"""Rows of another catalog, found here by their identity or brought here under new numbers.

Both catalogs are open in one connection: this one as `main`, a copy of the other as `theirs`.
Every table with numbers gets a temporary one, `numbers_<table>` (theirs, ours, new), through which
whatever points to its rows is translated; which column points where, SQLite itself knows.
"""

import sqlite3
from collections.abc import Mapping, Sequence


class Rows:
    """Identifies and copies the rows of `theirs`; tables come before what points to them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def identify(self, table: str, key: Sequence[str], *, where: str = "1") -> None:
        """Find which rows are here already, and give the others numbers.

        Args:
            table: with a column `id`.
            key: the columns that make a row's identity.
            where: which of their rows count, in SQL over `t`.
        """
        same = " AND ".join(f"o.{column} IS {self._translated(table, column)}" for column in key)
        self.connection.execute(
            f"CREATE TEMP TABLE numbers_{table} (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL,"
            " new INTEGER NOT NULL)"
        )
        self.connection.execute(
            f"INSERT INTO temp.numbers_{table} SELECT t.id, min(o.id), 0 FROM theirs.{table} t "
            f"JOIN main.{table} o ON {same} WHERE {where} GROUP BY t.id"
        )
        self.connection.execute(
            f"INSERT INTO temp.numbers_{table} SELECT t.id, "
            f"(SELECT coalesce(max(id), 0) FROM main.{table}) + row_number() OVER (ORDER BY t.id), "
            f"1 FROM theirs.{table} t WHERE {where} "
            f"AND t.id NOT IN (SELECT theirs FROM temp.numbers_{table})"
        )

    def copy(self, table: str, *, values: Mapping[str, str] | None = None) -> int:
        """Bring the rows that are new here; returns how many.

        Args:
            table: that was identified.
            values: SQL over `t` by column, in the place of their value.
        """
        columns = [column for column in self._columns(table) if column != "id"]
        given = values or {}
        selected = [given.get(column, self._translated(table, column)) for column in columns]
        self.connection.execute(
            f"INSERT INTO main.{table} (id, {', '.join(columns)}) "
            f"SELECT n.ours, {', '.join(selected)} FROM theirs.{table} t "
            f"JOIN temp.numbers_{table} n ON n.theirs = t.id WHERE n.new ORDER BY n.ours"
        )
        return self.new(table)

    def copy_parts(self, table: str, parent: str, column: str) -> None:
        """Bring the rows of a table without numbers that belong to new rows of another.

        Args:
            table: of the parts, as `trial`.
            parent: the table that they belong to, as `experiment`.
            column: that names the parent's row, as `experiment_id`.
        """
        columns = self._columns(table)
        selected = [self._translated(table, one) for one in columns]
        self.connection.execute(
            f"INSERT INTO main.{table} ({', '.join(columns)}) "
            f"SELECT {', '.join(selected)} FROM theirs.{table} t "
            f"JOIN temp.numbers_{parent} n ON n.theirs = t.{column} WHERE n.new"
        )

    def new(self, table: str) -> int:
        """How many rows of a table were not here."""
        (found,) = self.connection.execute(
            f"SELECT count(*) FROM temp.numbers_{table} WHERE new"
        ).fetchone()
        return int(found)

    def pairs(self, table: str, *, new: bool) -> dict[int, int]:
        """Their number and ours, of the rows that are new here or of those that were here."""
        return dict(
            self.connection.execute(
                f"SELECT theirs, ours FROM temp.numbers_{table} WHERE new = ? ORDER BY ours", (new,)
            )
        )

    def _columns(self, table: str) -> list[str]:
        return [row[1] for row in self.connection.execute(f"PRAGMA main.table_info({table})")]

    def _translated(self, table: str, column: str) -> str:
        """Their value of a column, as a number of ours where it points to a row."""
        for row in self.connection.execute(f"PRAGMA main.foreign_key_list({table})"):
            if row[3] == column:
                return f"(SELECT ours FROM temp.numbers_{row[2]} WHERE theirs = t.{column})"
        return f"t.{column}"
