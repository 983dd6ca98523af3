"""What every report is made of, and its form as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


def as_json(value: object) -> Any:
    """Plain JSON values of a record, recursively.

    A field's name is its key; only where that is a Python keyword it ends in an underscore more.
    Numbers that JSON can't hold (NaN, infinities) become null.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name.removesuffix("_"): as_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


@dataclass(frozen=True)
class ImageRef:
    """A picture in the catalog; ``path`` is where it was last seen."""

    id: int | None
    path: str


@dataclass(frozen=True)
class Exemplar:
    """A picture that activates a latent, the patch where it does most, and how much (SAE units)."""

    image: ImageRef
    patch: int
    activation: float
