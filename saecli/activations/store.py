"""Files of recorded activations, found again by what they were computed from.

A file is an ordinary safetensors file: `activations` (n_images, n_patches, d_model) float16 or
float32, `thumbnails` and `manifest` (bytes; the manifest is JSON: images, skipped pictures).
Its header carries the key of what was recorded and a checksum over everything after it.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from saecli.activations.headers import HEADER_BYTES, Part, read_header, reserve, write_header
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.images.loading import ImageInfo, Skipped

FORMAT = 1
SUFFIX = ".activations"
_CHUNK = 1 << 24
_NUMPY = {"F16": np.float16, "F32": np.float32}


@dataclass(frozen=True)
class Contents:
    """What a file holds: activations (n_images, P, D), and what is known of the images."""

    activations: Tensor
    images: list[tuple[int, ImageInfo]]
    skipped: list[Skipped]


def key_of(backbone_digest: str, layer: int, hashes: Sequence[str]) -> str:
    """The name of a recording: what it was computed from, hashed. SHA-256 in hex."""
    text = json.dumps([FORMAT, backbone_digest, layer, list(hashes)])
    return hashlib.sha256(text.encode()).hexdigest()


def place_of(folder: Path, key: str) -> Path:
    """Where the recording with this key lies in a cache folder."""
    return folder / f"{key[:32]}{SUFFIX}"


class Writer:
    """Appends activations to an open file; the header is written by `finish`."""

    def __init__(self, file: IO[bytes], key: str, shape: tuple[int, int], dtype: torch.dtype):
        self._file = file
        self._key = key
        self._shape = shape
        self._dtype = dtype
        self._crc = 0
        self._n_images = 0
        reserve(file)

    def append(self, activations: Tensor) -> None:
        """Add images' activations, (b, P, D), in the writer's dtype."""
        self._n_images += len(activations)
        self._write(activations.contiguous().numpy().tobytes())

    def finish(self, images: list[tuple[int, ImageInfo]], skipped: list[Skipped]) -> None:
        """Add what is known of the images, and the header that makes the file valid."""
        thumbnails = b"".join(info.thumbnail for _, info in images)
        manifest = json.dumps(
            {
                "images": [
                    [index, info.sha256, info.width, info.height, len(info.thumbnail)]
                    for index, info in images
                ],
                "skipped": [asdict(one) for one in skipped],
            }
        ).encode()
        self._write(thumbnails)
        self._write(manifest)
        metadata = {"format": str(FORMAT), "key": self._key, "crc32": str(self._crc)}
        parts = [
            Part("activations", self._dtype, (self._n_images, *self._shape)),
            Part("thumbnails", torch.uint8, (len(thumbnails),)),
            Part("manifest", torch.uint8, (len(manifest),)),
        ]
        write_header(self._file, metadata, parts)

    def _write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._file.write(data)


@contextmanager
def writing(path: Path, key: str, shape: tuple[int, int], dtype: torch.dtype) -> Iterator[Writer]:
    """A writer to a file that appears at ``path`` only when the block succeeds."""
    with write_whole(path) as file:
        yield Writer(file, key, shape, dtype)


def read(path: Path, key: str, *, in_ram: bool) -> Contents:
    """Read a recording into memory, or map it.

    Raises:
        SaecliError: if the file is damaged, cut short or holds another recording.
    """
    try:
        with path.open("rb") as file:
            header = _header(file, path, key)
            _check(file, header, path)
        return _contents(path, header, in_ram=in_ram)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "is damaged") from error


def verify(path: Path) -> None:
    """Return if a recording is what was written.

    Raises:
        SaecliError: if it can't be read, is damaged or cut short, or is another than its name says.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file)
            key = header["__metadata__"]["key"]
            if place_of(path.parent, key) != path:
                raise _damaged(path, "holds other activations than its name says")
            _check(file, header, path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "is damaged") from error


def make_room(folder: Path, needed: int, bound: int) -> None:
    """Delete the recordings used longest ago until ``needed`` more bytes keep within the bound."""
    kept = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
    total = sum(path.stat().st_size for path in kept)
    for path in kept:
        if total + needed <= bound:
            break
        total -= path.stat().st_size
        path.unlink()


def _header(file: IO[bytes], path: Path, key: str) -> dict[str, Any]:
    header = read_header(file)
    metadata = header["__metadata__"]
    if (metadata["format"], metadata["key"]) != (str(FORMAT), key):
        raise _damaged(path, "holds other activations than its name says")
    return header


def _check(file: IO[bytes], header: dict[str, Any], path: Path) -> None:
    crc, size = 0, 0
    while chunk := file.read(_CHUNK):
        crc = zlib.crc32(chunk, crc)
        size += len(chunk)
    if size != header["manifest"]["data_offsets"][1]:
        raise _damaged(path, "is cut short")
    if crc != int(header["__metadata__"]["crc32"]):
        raise _damaged(path, "is damaged")


def _contents(path: Path, header: dict[str, Any], *, in_ram: bool) -> Contents:
    described = header["activations"]
    mapped = np.memmap(
        path,
        dtype=_NUMPY[described["dtype"]],
        mode="c",  # private pages: PyTorch wants writable memory, and the file must not change
        offset=HEADER_BYTES,
        shape=tuple(described["shape"]),
    )
    with path.open("rb") as file:
        thumbnails = _part(file, header["thumbnails"])
        manifest = json.loads(_part(file, header["manifest"]))
    images, at = [], 0
    for index, sha256, width, height, length in manifest["images"]:
        images.append((index, ImageInfo(sha256, width, height, thumbnails[at : at + length])))
        at += length
    return Contents(
        activations=torch.from_numpy(np.array(mapped) if in_ram else mapped),
        images=images,
        skipped=[Skipped(**one) for one in manifest["skipped"]],
    )


def _part(file: IO[bytes], described: dict[str, Any]) -> bytes:
    start, end = described["data_offsets"]
    file.seek(HEADER_BYTES + start)
    return file.read(end - start)


def _damaged(path: Path, what: str) -> SaecliError:
    return SaecliError(f"the activation file {path} {what}", "delete it, and record again")
