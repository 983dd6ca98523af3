"""Values and tensors out of files that `torch.save` or `pickle` wrote, without running them.

A pickle is a program. This reader lets it build plain containers and tensors; every other class or
function that it names becomes an inert stand-in which takes any arguments and does nothing, so that
a configuration object's fields can be read and nothing is called. Zip archives are read record by
record: what torch.save never writes (compressed records, paths that leave the archive, records that
share bytes) is refused before anything is unpacked.
"""

import gzip
import io
import math
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import torch
from torch import Tensor

from saecli.errors import SaecliError

MOST_BYTES = 2**36
"""Of a file or of what a gzip file holds; 64 GB is above every dictionary there is."""
EXPANSION = 20
"""How many times its own size a gzip file may come to; weights shrink by less than 2."""
_OLD_MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
_REMEDY = "get the file anew, or save its weights as safetensors"

_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """Stands in for any class or function of a pickle: it takes everything and does nothing."""

    name: ClassVar[str] = ""

    def __new__(cls, *_args: Any, **_more: Any) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *args: Any, **_more: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.__dict__.update({str(key): value for key, value in part.items()})

    def append(self, _value: Any) -> None:
        """A pickle may treat it as a list."""

    def extend(self, _values: Any) -> None:
        """A pickle may treat it as a list."""

    def __setitem__(self, _key: Any, _value: Any) -> None:
        """A pickle may treat it as a mapping."""


def is_archive(path: Path) -> bool:
    """Whether a file begins as the zip archives of torch.save do."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def read_archive(data: Path | bytes, name: str) -> Any:
    """What `torch.save` was given: containers, numbers, tensors, and stand-ins for the rest.

    Args:
        data: a file, or its bytes.
        name: what messages call it.

    Raises:
        SaecliError: if it is cut short, or holds what torch.save doesn't write.
    """
    try:
        with zipfile.ZipFile(data if isinstance(data, Path) else io.BytesIO(data)) as archive:
            records = _records(archive, name)
            order = records.get("byteorder")
            if order is not None and archive.read(order) != b"little":
                raise _unusable(f"{name} was written on a big-endian machine")
            if "data.pkl" not in records:
                raise _unusable(f"{name} is a zip archive that torch.save didn't write")
            program = archive.read(records["data.pkl"])
            return _load(_ArchiveReader(io.BytesIO(program), archive, records, name), name)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise _unusable(f"{name} is cut short or damaged") from error


def read_gzipped(path: Path) -> Any:
    """The same of a gzip file that holds one plain pickle, as ViT-Prisma writes `.pkl.gz`."""
    most = min(MOST_BYTES, path.stat().st_size * EXPANSION + 2**20)
    try:
        with gzip.open(path) as file:
            program = file.read(most + 1)
    except (OSError, EOFError) as error:
        raise _unusable(f"{path} is cut short or damaged") from error
    if len(program) > most:
        raise _unusable(f"{path} unpacks to more than {EXPANSION} times its size")
    return _load(_Reader(io.BytesIO(program), str(path)), str(path))


def read_pickle(path: Path) -> Any:
    """The same of a file that holds one plain pickle."""
    data = path.read_bytes()
    if data.startswith(_OLD_MAGIC):
        return _old(data, str(path))
    return _load(_Reader(io.BytesIO(data), str(path)), str(path))


def _load(reader: "_Reader", name: str) -> Any:
    try:
        return reader.load()
    except SaecliError:
        raise
    except Exception as error:  # a broken program can fail in any way, and none of it is ours
        raise _unusable(f"{name} is cut short, damaged or no pickle of weights") from error


class _Reader(pickle.Unpickler):
    """Builds plain containers and tensors; everything else is inert."""

    def __init__(self, file: io.BytesIO, name: str) -> None:
        super().__init__(file, encoding="latin1")
        self.name = name

    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get((module, name))
        if allowed is not None:
            return allowed
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return self._nested
        return type(name, (Inert,), {"name": f"{module}.{name}"})

    def _nested(self, data: Any) -> Any:
        """A storage inside a plain pickle, saved by itself."""
        if not isinstance(data, bytes):
            raise _unusable(f"{self.name} lacks the numbers of a tensor")
        if data[:4] == b"PK\x03\x04":
            return read_archive(data, self.name)
        return _old(data, self.name)

    def persistent_load(self, pid: Any) -> Any:
        raise _unusable(f"{self.name} refers to tensors that it doesn't hold")


class _ArchiveReader(_Reader):
    """Finds each tensor's numbers in its own record."""

    def __init__(
        self,
        file: io.BytesIO,
        archive: zipfile.ZipFile,
        records: dict[str, zipfile.ZipInfo],
        name: str,
    ) -> None:
        super().__init__(file, name)
        self._archive, self._records = archive, records
        self._read: dict[str, Tensor] = {}

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _device, count = pid
        record = f"data/{key}"
        if kind != "storage" or record not in self._records:
            raise _unusable(f"{self.name} lacks the numbers of a tensor")
        if not isinstance(dtype, torch.dtype):
            raise _unusable(f"{self.name} holds tensors of a kind that saecli doesn't read")
        if record not in self._read:
            data = self._archive.read(self._records[record])
            if len(data) < int(count) * dtype.itemsize:
                raise _unusable(f"{self.name} holds fewer numbers than it says")
            self._read[record] = _numbers(data[: int(count) * dtype.itemsize], dtype)
        return self._read[record]


class _OldReader(_Reader):
    """Of torch.save's form of before 1.6: one pickle, and behind it the numbers of each storage."""

    def __init__(self, file: io.BytesIO, most: int, filled: dict[str, Tensor], name: str) -> None:
        super().__init__(file, name)
        self._most, self._filled = most, filled
        self.storages: dict[str, tuple[torch.dtype, int]] = {}

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _device, count = pid[:5]
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise _unusable(f"{self.name} holds tensors of a kind that saecli doesn't read")
        if not 0 <= int(count) * dtype.itemsize <= self._most:
            raise _unusable(f"{self.name} holds fewer numbers than it says")
        self.storages[str(key)] = dtype, int(count)
        found = self._filled.get(str(key))
        return torch.zeros(int(count), dtype=dtype) if found is None else found


def _old(data: bytes, name: str) -> Any:
    """Read twice: which storages there are, then with their numbers, which lie behind."""
    file = io.BytesIO(data)
    for _ in range(3):  # a magic number, the version, the machine
        _load(_Reader(file, name), name)
    start = file.tell()
    first = _OldReader(file, len(data), {}, name)
    _load(first, name)
    keys = _load(_Reader(file, name), name)
    filled: dict[str, Tensor] = {}
    for key in keys if isinstance(keys, list) else ():
        dtype, count = first.storages.get(str(key), (torch.uint8, 0))
        found = int.from_bytes(file.read(8), "little")
        numbers = file.read(count * dtype.itemsize)
        if found != count or len(numbers) < count * dtype.itemsize:
            raise _unusable(f"{name} is cut short or damaged")
        filled[str(key)] = _numbers(numbers, dtype)
    if set(first.storages) - set(filled):
        raise _unusable(f"{name} lacks the numbers of a tensor")
    file.seek(start)
    return _load(_OldReader(file, len(data), filled, name), name)


def _numbers(data: bytes, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.zeros(0, dtype=dtype)


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_more: Any) -> Tensor:
    if not isinstance(storage, Tensor) or math.prod(size) > storage.numel():
        raise ValueError("a tensor of more numbers than its storage has")
    view = storage.as_strided(tuple(size), tuple(stride), offset)
    return view if view.is_contiguous() and view.numel() == storage.numel() else view.clone()


def _parameter(data: Any, *_more: Any) -> Any:
    return data


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("__builtin__", "set"): set,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def _records(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The records by their names below the archive's one folder, checked."""
    found: dict[str, zipfile.ZipInfo] = {}
    end = 0
    for info in sorted(archive.infolist(), key=lambda one: one.header_offset):
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
            raise _unusable(f"{name} holds a record whose path leaves it ('{info.filename}')")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise _unusable(f"{name} holds compressed records, which torch.save doesn't write")
        if info.header_offset < end:
            raise _unusable(f"{name} holds records that share their bytes")
        end = info.header_offset + info.compress_size
        found["/".join(path.parts[1:])] = info
    return found


def _unusable(problem: str) -> SaecliError:
    return SaecliError(problem, _REMEDY)
