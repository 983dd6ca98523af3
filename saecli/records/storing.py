"""What `saecli record` and `saecli doctor` report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordReport:
    """An activation store; size in bytes, seconds of this sitting."""

    out: str
    backbone: str
    layers: list[int]
    dtype: str
    image_set: str
    n_images: int
    n_patches: int
    d_model: int
    n_shards: int
    size: int
    seconds: float
    images_per_second: float
    skipped: list[str]


@dataclass(frozen=True)
class CheckedFolder:
    """A store, or a catalog's folder; size in bytes of the files that were read."""

    path: str
    kind: str
    ok: bool
    n_files: int
    size: int
    problems: list[str]
    notes: list[str]


@dataclass(frozen=True)
class DoctorReport:
    """Whether everything that was looked at is whole, and on what it runs."""

    ok: bool
    checked: list[CheckedFolder]
    versions: dict[str, str]
