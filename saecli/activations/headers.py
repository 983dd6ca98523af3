"""Headers of safetensors files of a fixed size, so that they can be written after the data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

import torch

HEADER_BYTES = 4096
CODES = {
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.uint8: "U8",
}
DTYPES = {code: dtype for dtype, code in CODES.items()}


@dataclass(frozen=True)
class Part:
    """One array of a file: its name, type and shape; parts lie behind one another."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        n = self.dtype.itemsize
        for length in self.shape:
            n *= length
        return n


def reserve(file: IO[bytes]) -> None:
    """Leave room for a header at the file's start."""
    file.write(b" " * HEADER_BYTES)


def write_header(file: IO[bytes], metadata: Mapping[str, str], parts: Sequence[Part]) -> None:
    """Write the header into the room reserved for it."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for part in parts:
        header[part.name] = {
            "dtype": CODES[part.dtype],
            "shape": list(part.shape),
            "data_offsets": [at, at + part.n_bytes],
        }
        at += part.n_bytes
    file.seek(0)
    file.write((HEADER_BYTES - 8).to_bytes(8, "little"))
    file.write(json.dumps(header).encode().ljust(HEADER_BYTES - 8))


def read_header(file: IO[bytes]) -> dict[str, Any]:
    """The header of an open file, which then stands at the data.

    Raises:
        ValueError: if it is none.
    """
    start = file.read(HEADER_BYTES)
    return cast(dict[str, Any], json.loads(start[8:]))
