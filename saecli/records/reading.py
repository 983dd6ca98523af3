"""Records from the plain JSON values that they were stored as."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read(kind: type[T], told: Mapping[str, Any]) -> T:
    """A record from what :func:`saecli.records.as_json` gave, recursively.

    Keys that the record hasn't are passed over, and a field that is missing has its default.

    Raises:
        KeyError: if a field without a default is missing.
    """
    hints = get_type_hints(kind)
    values = {}
    for one in fields(kind):  # type: ignore[arg-type]
        key = one.name.removesuffix("_")
        if key in told:
            values[one.name] = _value(hints[one.name], told[key])
        elif one.default is MISSING and one.default_factory is MISSING:
            raise KeyError(key)
    return kind(**values)


def _value(kind: Any, told: Any) -> Any:
    if told is None:
        return None
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (part for part in parts if part is not type(None))
        return _value(inner, told)
    if origin is list:
        return [_value(parts[0], item) for item in told]
    if origin is dict:
        return {_value(parts[0], key): _value(parts[1], item) for key, item in told.items()}
    if kind is int and isinstance(told, str):  # a key: JSON has no other
        return int(told)
    if kind is datetime:
        return datetime.fromisoformat(told)
    return read(kind, told) if is_dataclass(kind) and isinstance(kind, type) else told
