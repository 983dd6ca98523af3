"""Arrays as bytes: exemplars' maps, and the named figures of a trial."""

import json
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from saecli.grid import CoarseMaps

_ZIP = b"PK"
_HEAD = 4096  # bytes that hold the header of any plain array
_LENGTH = 4  # bytes of the header's length, little-endian


def pack_map(patches: NDArray[Any], values: NDArray[Any], peak: float) -> bytes:
    """A latent's activation map on one picture: where it fires, and how much, in 8 bits.

    Args:
        patches: (n,) patch numbers, integer, below 65,536.
        values: (n,) activations, positive, SAE units.
        peak: the exemplar's activation: the largest of them.

    Returns:
        n patch numbers (uint16, little-endian), then n shares of the peak (uint8, rounded, at
        least 1, so that what fires stays visible).
    """
    shares = np.clip(np.rint(values * (255 / peak)), 1, 255) if peak > 0 else np.zeros(0)
    return patches.astype("<u2").tobytes() + shares.astype(np.uint8).tobytes()


def unpack_map(data: bytes, n_patches: int, peak: float) -> NDArray[np.float32]:
    """The map on all patches of a grid, (n_patches,) float32, within 1/510 of the peak."""
    n = len(data) // 3
    patches = np.frombuffer(data, "<u2", count=n)
    shares = np.frombuffer(data, np.uint8, count=n, offset=2 * n)
    dense = np.zeros(n_patches, np.float32)
    dense[patches] = shares * np.float32(peak / 255)
    return dense


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays of numbers as one zlib string; dtypes and shapes are kept."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = json.dumps(
        {name: [array.dtype.str, list(array.shape)] for name, array in plain.items()}
    ).encode()
    body = b"".join(array.tobytes() for array in plain.values())
    return zlib.compress(len(header).to_bytes(_LENGTH, "little") + header + body)


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that ``pack_arrays`` was given."""
    raw = zlib.decompress(data)
    start = _LENGTH + int.from_bytes(raw[:_LENGTH], "little")
    arrays: dict[str, NDArray[Any]] = {}
    for name, (dtype, shape) in json.loads(raw[_LENGTH:start]).items():
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(raw, dtype, count=count, offset=start).reshape(shape)
        start += arrays[name].nbytes
    return arrays


def pack_signature(maxima: NDArray[Any], coarse: CoarseMaps | None) -> bytes:
    """A profile's signatures: (n_latents, M) maxima in float16, and coarse maps where there are.

    NumPy's own files: one array, or several by name. Columns are kept as steps from one to the
    next, modulo their range: small numbers, which compress to a third.
    """
    packed = BytesIO()
    rows = maxima.astype(np.float16)
    if coarse is None:
        np.save(packed, rows, allow_pickle=False)
    else:
        np.savez(
            packed,
            maxima=rows,
            images=coarse.images.astype("<i4"),
            n_cells=np.int32(coarse.n_cells),
            start=coarse.start.astype("<i8"),
            step=np.diff(coarse.column, prepend=coarse.column.dtype.type(0)),
            value=coarse.value,
        )
    return packed.getvalue()


def unpack_signature(data: bytes) -> tuple[NDArray[np.float16], CoarseMaps | None]:
    """Both parts again."""
    if not data.startswith(_ZIP):
        found: NDArray[np.float16] = np.load(BytesIO(data), allow_pickle=False)
        return found, None
    members = _members(data)
    return members["maxima"], CoarseMaps(
        images=members["images"].astype(np.int64),
        n_cells=int(members["n_cells"]),
        start=members["start"],
        column=np.cumsum(members["step"], dtype=members["step"].dtype),
        value=members["value"],
    )


def _members(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an uncompressed `np.savez` file, where they lie: nothing is copied.

    Whoever read the bytes has verified them, so that the archive's own check sums aren't needed.
    """
    arrays = {}
    with ZipFile(BytesIO(data)) as archive:
        for member in archive.infolist():
            # A local header: 30 bytes, of which the last four are the lengths of what follows.
            lengths = data[member.header_offset + 26 : member.header_offset + 30]
            start = member.header_offset + 30 + sum(struct.unpack("<HH", lengths))
            head = BytesIO(data[start : start + _HEAD])
            np.lib.format.read_magic(head)
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(head)
            count = int(np.prod(shape, dtype=np.int64))
            flat = np.frombuffer(data, dtype, count=count, offset=start + head.tell())
            arrays[member.filename.removesuffix(".npy")] = flat.reshape(
                shape, order="F" if by_column else "C"
            )
    return arrays
