"""Tar shards, also in WebDataset's layout: `key.jpg` beside `key.cls`, which names its class.

Only headers are read to list a shard; a picture is then read where it lies. WebDataset:
https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from saecli.errors import SaecliError
from saecli.images.containers import CUT, Member, MemberError
from saecli.images.folders import SUFFIXES

CLASS = ".cls"
_MOST_SHARDS = 4096  # whose lists are kept in memory


@dataclass(frozen=True)
class _Index:
    """Where each member's bytes lie: (offset, length); ``cut`` if the shard ends too early."""

    places: dict[str, tuple[int, int]]
    cut: bool


def members(shard: Path) -> Iterator[Member]:
    """The pictures of a shard, and `CUT` where it ends too early."""
    index = _index_of(shard)
    with shard.open("rb") as file:
        for name in index.places:
            if PurePosixPath(name).suffix.lower() in SUFFIXES:
                place = index.places.get(_key(name) + CLASS)
                yield Member(name, None if place is None else _text(_read(file, place)))
    if index.cut:
        yield Member(CUT, None)


def read(shard: Path, name: str) -> bytes:
    """The bytes of a picture."""
    index = _index_of(shard)
    if name == CUT and index.cut:
        raise MemberError(f"the tar shard ends too early, after {len(index.places)} members")
    if name not in index.places:
        raise MemberError("the tar shard doesn't hold it")
    with shard.open("rb") as file:
        data = _read(file, index.places[name])
    if len(data) < index.places[name][1]:
        raise MemberError("the tar shard ends within it")
    return data


def size(shard: Path, name: str) -> int:
    """Its length in bytes; 0 for one that isn't there."""
    return _index_of(shard).places.get(name, (0, 0))[1]


def _index_of(shard: Path) -> _Index:
    try:
        found = shard.stat()
        return _index(shard, found.st_size, found.st_mtime_ns)
    except (OSError, tarfile.TarError) as error:
        raise SaecliError(
            f"'{shard}' is no plain tar archive ({error})",
            "write it uncompressed (a compressed one can't be read in places), or unpack it",
        ) from error


@lru_cache(_MOST_SHARDS)
def _index(shard: Path, size: int, modified: int) -> _Index:
    places: dict[str, tuple[int, int]] = {}
    cut = False
    with tarfile.open(shard, "r:") as archive:
        try:
            for member in archive:
                if member.isfile() and (name := _name(member.name)):
                    places[name] = (member.offset_data, member.size)
        except tarfile.TarError:
            cut = True
        end = archive.offset
    with shard.open("rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    cut |= block != bytes(tarfile.BLOCKSIZE)  # an archive's end is marked by empty blocks
    return _Index(places, cut)


def _name(name: str) -> str:
    """A member's name, which can't lead out of the shard; empty for hidden files."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".", "..")]
    return "" if any(part.startswith(".") for part in parts) else "/".join(parts)


def _key(name: str) -> str:
    """What belongs together: the path up to the first dot of the file's name."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}" if folder else file.partition(".")[0]


def _read(file: IO[bytes], place: tuple[int, int]) -> bytes:
    file.seek(place[0])
    return file.read(place[1])


def _text(data: bytes) -> str | None:
    return data.decode("utf-8", "replace").strip() or None
