"""Names that clash, and references in what reports tell."""

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from saecli.catalog.merging.rows import Rows
from saecli.refs import DICTIONARY_NAME

_REF = re.compile(rf"({DICTIONARY_NAME.pattern})(:\d+(?:\+\d+)*)")
_NAMING = ("dictionary", "source", "target", "untrained_twin", "untrained")


def rename(rows: Rows, table: str) -> dict[str, str]:
    """Give the new rows of a table names that are free here: `clip` becomes `clip-2`.

    Returns:
        New names by their old ones. They are in the temporary table `names_<table>` (theirs,
        name), together with those that stay.
    """
    connection = rows.connection
    new = rows.pairs(table, new=True)
    taken = {name for (name,) in connection.execute(f"SELECT name FROM main.{table}")}
    theirs = {
        number: name
        for number, name in connection.execute(f"SELECT id, name FROM theirs.{table} ORDER BY id")
        if number in new
    }
    kept = {name for name in theirs.values() if name not in taken}
    renamed: dict[str, str] = {}
    connection.execute(f"CREATE TEMP TABLE names_{table} (theirs INTEGER PRIMARY KEY, name TEXT)")
    for number, name in theirs.items():
        if name in taken:
            renamed[name] = _free(name, taken | kept)
            taken.add(renamed[name])
        connection.execute(
            f"INSERT INTO temp.names_{table} VALUES (?, ?)", (number, renamed.get(name, name))
        )
    return renamed


def named_here(connection: sqlite3.Connection) -> dict[str, str]:
    """The names of their dictionaries that are others here, by their own."""
    rows = connection.execute(
        "SELECT t.name, o.name FROM theirs.dictionary t "
        "JOIN temp.numbers_dictionary n ON n.theirs = t.id "
        "JOIN main.dictionary o ON o.id = n.ours WHERE t.name != o.name"
    )
    return dict(rows)


def rewrite(
    rows: Rows, table: str, column: str, change: Callable[[Any], Any], chosen: Mapping[int, int]
) -> None:
    """Change a column of JSON in rows that came from there.

    Args:
        rows: of both catalogs.
        table: of the column.
        column: of JSON, or NULL.
        change: makes the new value of the old one.
        chosen: their numbers and ours.
    """
    for number in chosen.values():
        (told,) = rows.connection.execute(
            f"SELECT {column} FROM main.{table} WHERE id = ?", (number,)
        ).fetchone()
        if told is None:
            continue
        before = json.loads(told)
        after = change(before)
        if after != before:
            rows.connection.execute(
                f"UPDATE main.{table} SET {column} = ? WHERE id = ?",
                (json.dumps(after), number),
            )


def with_names(value: Any, names: Mapping[str, str]) -> Any:
    """Plain JSON values with the references and dictionaries in them under other names."""
    if not names:
        return value
    if isinstance(value, dict):
        return {
            _ref(key, names): names.get(item, item)
            if key in _NAMING and isinstance(item, str)
            else with_names(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [with_names(item, names) for item in value]
    return _ref(value, names) if isinstance(value, str) else value


def _ref(text: str, names: Mapping[str, str]) -> str:
    found = _REF.fullmatch(text)
    return f"{names[found[1]]}{found[2]}" if found and found[1] in names else text


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
