"""Pictures in the rows of Parquet files and of Hugging Face datasets that were saved to disk.

Read with pyarrow, which is an extra (`pip install 'saecli[tables]'`). A picture is a column of
bytes, or of Hugging Face's `{bytes, path}`; its label a column `label`, or the only column of
classes. Hugging Face's features stand in the schema's metadata under `huggingface`
(https://huggingface.co/docs/datasets, "Dataset features").
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from saecli.errors import SaecliError, one_of
from saecli.images.containers import PARQUET, Member, MemberError

PREFERRED = ("image", "img", "picture", "jpg", "png")
LABEL = "label"
_MOST_FILES = 4096
_MOST_GROUPS = 2  # row groups of Parquet held decoded
_lock = threading.Lock()  # threads that want the same row group shall decode it once


@dataclass(frozen=True)
class _Table:
    """An open file: its rows, the column of pictures, and each row's label."""

    n_rows: int
    column: str
    labels: list[str | None]
    content: Any  # a ParquetFile, or a memory-mapped table
    group_starts: list[int]  # of Parquet: the first row of each group


def members(file: Path) -> Iterator[Member]:
    """The rows of a file, named by their eight-digit numbers."""
    table = _table_of(file)
    for row in range(table.n_rows):
        yield Member(f"{row:08}", table.labels[row])


def read(file: Path, name: str) -> bytes:
    """The bytes of the picture in a row."""
    table = _table_of(file)
    if not name.isdigit() or int(name) >= table.n_rows:
        raise MemberError(f"the table has {table.n_rows} rows")
    row = int(name)
    if table.group_starts:
        group = max(i for i, start in enumerate(table.group_starts) if start <= row)
        with _lock:
            column = _group(file, _stamp(file), group)
        value = column[row - table.group_starts[group]].as_py()
    else:
        value = table.content[table.column][row].as_py()
    if isinstance(value, dict):
        if value.get("bytes") is None and value.get("path"):
            return _linked(file, value["path"])
        value = value.get("bytes")
    if not value:
        raise MemberError("its row holds no picture")
    return bytes(value)


def _linked(file: Path, path: str) -> bytes:
    """The bytes of a picture that a row only points to."""
    try:
        return (file.parent / path).read_bytes()
    except OSError as error:
        raise MemberError(f"its row points to {path}, which can't be read") from error


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _table_of(file: Path) -> _Table:
    try:
        import pyarrow
    except ImportError:
        raise SaecliError(
            f"'{file}' is read with pyarrow, which isn't installed",
            "install it with pip install 'saecli[tables]'",
        ) from None
    try:
        return _open(file, _stamp(file))
    except (OSError, pyarrow.ArrowException) as error:
        raise SaecliError(
            f"'{file}' can't be read as a table ({(str(error).splitlines() or [''])[0]})",
            "check that it is a whole Parquet or Arrow file",
        ) from error


@lru_cache(_MOST_FILES)
def _open(file: Path, stamp: tuple[int, int]) -> _Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    starts: list[int] = []
    if file.suffix.lower() == PARQUET:
        content = pq.ParquetFile(file, memory_map=True)
        schema = content.schema_arrow
        n_rows = content.metadata.num_rows
        for group in range(content.metadata.num_row_groups):
            starts.append(sum(starts[-1:]) + (_rows(content, group - 1) if group else 0))
    else:
        content = _read_arrow(pa, file)
        schema, n_rows = content.schema, content.num_rows
    label = _label_column(schema)
    labels: list[str | None] = [None] * n_rows
    if label is not None:
        read = content.read(columns=[label]) if starts else content
        labels = _names(read[label].to_pylist(), _features(schema).get(label, {}))
    return _Table(n_rows, _picture_column(file, schema), labels, content, starts)


def _rows(content: Any, group: int) -> int:
    return int(content.metadata.row_group(group).num_rows)


def _read_arrow(pa: Any, file: Path) -> Any:
    """A table whose bytes stay in the file; `datasets` writes streams, others files."""
    try:
        return pa.ipc.open_stream(pa.memory_map(str(file))).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_file(pa.memory_map(str(file))).read_all()


@lru_cache(_MOST_GROUPS)
def _group(file: Path, stamp: tuple[int, int], group: int) -> Any:
    table = _open(file, stamp)
    return table.content.read_row_group(group, columns=[table.column])[table.column]


def _features(schema: Any) -> dict[str, Any]:
    """Hugging Face's description of the columns, where there is one."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        return dict(described["info"]["features"])
    except (KeyError, ValueError, TypeError):
        return {}


def _picture_column(file: Path, schema: Any) -> str:
    import pyarrow.types as kinds

    def holds_bytes(kind: Any) -> bool:
        if kinds.is_struct(kind):
            return bool(kind.get_field_index("bytes") >= 0)
        return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))

    found = [field.name for field in schema if holds_bytes(field.type)]
    for name in PREFERRED:
        if name in found:
            return name
    if len(found) == 1:
        return str(found[0])
    words = f"columns of bytes {one_of(found)}" if found else "no column of pictures"
    raise SaecliError(
        f"'{file}' has {words}",
        "call the column of encoded pictures 'image', as bytes or {bytes, path}",
    )


def _label_column(schema: Any) -> str | None:
    if LABEL in schema.names:
        return LABEL
    classes = [name for name, one in _features(schema).items() if "names" in one]
    return classes[0] if len(classes) == 1 and classes[0] in schema.names else None


def _names(values: list[Any], feature: dict[str, Any]) -> list[str | None]:
    names = feature.get("names") if isinstance(feature, dict) else None
    return [
        None
        if value is None or (names and value == -1)  # Hugging Face's mark of an unknown class
        else str(names[value])
        if names and isinstance(value, int) and 0 <= value < len(names)
        else str(value)
        for value in values
    ]
