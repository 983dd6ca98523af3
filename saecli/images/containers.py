"""Pictures inside other files: tar shards, Parquet tables, Hugging Face datasets on disk.

Such a picture is named by a path that goes on below the file that holds it, as in
`/data/shard-000.tar/n0144/17.jpg` or `/data/train.parquet/00000017`, so that everything that
takes a picture's path takes these too. Nothing is ever unpacked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TAR = ".tar"
PARQUET = ".parquet"
ARROW = ".arrow"
SUFFIXES = frozenset({TAR, PARQUET, ARROW})
CUT = "(cut short)"
"""The name of what is missing from a damaged shard, so that it is skipped and listed like a
broken picture."""


class MemberError(Exception):
    """A picture that can't be had from its file; the text says why."""


@dataclass(frozen=True)
class Member:
    """A picture of a container: its name there, and the label that the container gives it."""

    name: str
    label: str | None


def is_container(path: Path) -> bool:
    """Whether a file may hold pictures, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def container_of(path: Path) -> Path | None:
    """The file that a picture's path goes on below, or None."""
    for parent in path.parents:
        if is_container(parent):
            return parent if parent.is_file() else None
    return None


def members(container: Path) -> Iterator[Member]:
    """The pictures of a container, in its order.

    Raises:
        SaecliError: if it can't be read, is none, or the library that reads it isn't installed.
    """
    if container.suffix.lower() == TAR:
        from saecli.images import tar

        yield from tar.members(container)
    else:
        from saecli.images import tables

        yield from tables.members(container)


def read_member(container: Path, name: str) -> bytes:
    """A picture's bytes.

    Raises:
        MemberError: if they can't be had.
        SaecliError: as `members`.
    """
    if container.suffix.lower() == TAR:
        from saecli.images import tar

        return tar.read(container, name)
    from saecli.images import tables

    return tables.read(container, name)


def member_size(container: Path, name: str) -> int:
    """A picture's bytes, 0 where they are known only by reading them."""
    if container.suffix.lower() == TAR:
        from saecli.images import tar

        return tar.size(container, name)
    return 0
