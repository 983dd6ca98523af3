"""Labels as files: CSV for tables, JSON lines for programs; either holds all of a label's life."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from saecli.catalog.portable_labels import PortableClosure, PortableLabel
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.records import as_json
from saecli.refs import parse_latent

COLUMNS = (
    *("ref", "text", "author", "kind", "status", "created", "confidence", "note"),
    *("evidence", "uuid", "supersedes", "dictionary", "closures"),
)
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
KINDS = ("person", "labeller")
_NESTED = ("evidence", "closures")


def format_of(path: Path) -> str:
    """`csv` or `jsonl`, by the file's name.

    Raises:
        SaecliError: if it ends in neither.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise SaecliError(
            f"'{path}' is no name of a CSV file or of one of JSON lines",
            "let it end in .csv or .jsonl",
            usage=True,
        )
    return found


def write_labels(path: Path, labels: Sequence[PortableLabel]) -> None:
    """Write labels, whole or not at all, in the format that the name says.

    Raises:
        SaecliError: if the name says none, or the place can't be written.
    """
    rows = [{name: as_json(getattr(label, name)) for name in COLUMNS} for label in labels]
    text = io.StringIO(newline="")
    if format_of(path) == "csv":
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows:
            packed = {name: json.dumps(row[name], ensure_ascii=False) for name in _NESTED}
            empty = {name: "" for name in _NESTED if not row[name]}
            table.writerow(row | packed | empty)
    else:
        for row in rows:
            text.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    with write_whole(path) as file:
        file.write(text.getvalue().encode())


def read_labels(path: Path) -> list[PortableLabel]:
    """Read a file of labels; only `ref` and `text` must be there, and unknown columns don't count.

    Raises:
        SaecliError: if the file can't be read, or a row is no label: with its line.
    """
    kind = format_of(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # tables may begin with a byte order mark
    except UnicodeDecodeError:
        raise SaecliError(f"'{path}' is no UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise SaecliError(
            f"'{path}' can't be read ({error.strerror or error})", "name another file"
        ) from error
    rows = _csv_rows(path, text) if kind == "csv" else _json_rows(path, text)
    return [_label(path, line, row) for line, row in rows]


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    first = text.split("\n", 1)[0]
    semicolons = first.count(";") > first.count(",")  # as tables of some countries have it
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if semicolons else ",")
    missing = [name for name in ("ref", "text") if name not in (table.fieldnames or [])]
    if missing:
        raise SaecliError(
            f"'{path}' has no column '{missing[0]}'",
            "its first line must name the columns, at least ref and text",
        )
    try:
        for row in table:
            if not any(row.values()):
                continue
            values: dict[str, Any] = {k: v for k, v in row.items() if k in COLUMNS and v}
            for name in _NESTED:
                if name in values:
                    values[name] = _json(path, table.line_num, values[name])
            yield table.line_num, values
    except csv.Error as error:
        raise _wrong(path, table.line_num, str(error)) from None


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, words in enumerate(text.split("\n"), 1):
        if not words.strip():
            continue
        row = _json(path, line, words)
        if not isinstance(row, dict):
            raise _wrong(path, line, "it is no JSON object")
        yield line, {k: v for k, v in row.items() if k in COLUMNS and v is not None}


def _label(path: Path, line: int, row: Mapping[str, Any]) -> PortableLabel:
    for name in ("ref", "text"):
        if not str(row.get(name, "")).strip():
            raise _wrong(path, line, f"it has no {name}")
    try:
        values: dict[str, Any] = {k: str(v) for k, v in row.items() if k not in _NESTED}
        parse_latent(values["ref"])
        if "kind" in values and values["kind"] not in KINDS:
            raise ValueError(f"'{values['kind']}' is no kind of author ({' or '.join(KINDS)})")
        for name in ("uuid", "supersedes"):
            if name in values:
                values[name] = str(UUID(values[name]))
        if "created" in values:
            values["created"] = _moment(values["created"])
        if "confidence" in values:
            values["confidence"] = _share(values["confidence"])
        if not isinstance(row.get("evidence", {}), dict):
            raise ValueError("its evidence is no JSON object")
        closures = tuple(_closure(one) for one in row.get("closures", ()))
        return PortableLabel(**values, evidence=row.get("evidence"), closures=closures, line=line)
    except SaecliError as error:
        raise _wrong(path, line, error.problem) from None
    except (ValueError, TypeError, KeyError) as error:
        raise _wrong(path, line, str(error)) from None


def _closure(row: Mapping[str, Any]) -> PortableClosure:
    known = {field.name for field in fields(PortableClosure)}
    values = {name: value for name, value in row.items() if name in known}
    if values.get("status") not in ("refuted", "retired"):
        raise ValueError(f"'{values.get('status')}' is no end of a label")
    return PortableClosure(
        **(values | {"created": _moment(row["created"]), "uuid": str(UUID(row["uuid"]))})
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError(f"a confidence of {share:g} is no share")
    return share


def _json(path: Path, line: int, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(path, line, f"it is no JSON ({error.msg})") from None


def _wrong(path: Path, line: int, problem: str) -> SaecliError:
    return SaecliError(
        f"line {line} of '{path}' is no label: {problem}", "mend it; nothing was taken in"
    )
