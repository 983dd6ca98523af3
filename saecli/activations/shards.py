"""The files of one shard of an activation store: written together, read a run of images at a time.

A shard counts as recorded once its list of pictures is there, which is written last.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from saecli.activations.headers import HEADER_BYTES, Part, reserve, write_header
from saecli.activations.manifest import (
    FORMAT,
    Recipe,
    Shard,
    StoredFile,
    layer_path,
    pictures_path,
    thumbnails_path,
)
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.images.loading import ImageInfo, Skipped

DOCTOR = "look at it with saecli doctor, and record what is damaged again"


@dataclass(frozen=True)
class StoredPicture:
    """What is known of a readable picture; ``index`` is its place among those listed.

    ``path`` is where it lay, ``thumbnail`` the length of its thumbnail in bytes.
    """

    index: int
    name: str
    path: str
    label: str | None
    sha256: str
    width: int
    height: int
    thumbnail: int


class ShardWriter:
    """Appends activations of several layers to the files of one shard."""

    def __init__(self, recipe: Recipe, number: int, files: Sequence[IO[bytes]]) -> None:
        self._recipe = recipe
        self._number = number
        self._files = files
        self._hashes = [hashlib.sha256() for _ in files]
        self._n_images = 0
        for file in files:
            reserve(file)

    def append(self, activations: Sequence[Tensor]) -> None:
        """Add images: (b, P, D) of each layer, in the recipe's order and dtype, on the CPU."""
        for tensor, file, digest in zip(activations, self._files, self._hashes, strict=True):
            data = _bytes_of(tensor.contiguous())
            file.write(data)
            digest.update(data)
        self._n_images += len(activations[0])

    def finish(self) -> list[StoredFile]:
        """Write the headers; what the files then are."""
        backbone = self._recipe.backbone
        shape = (self._n_images, backbone.grid.n_patches, backbone.d_model)
        part = Part("activations", getattr(torch, self._recipe.dtype), shape)
        found = []
        for layer, file, digest in zip(self._recipe.layers, self._files, self._hashes, strict=True):
            metadata = header_of(self._recipe, layer, self._number)
            write_header(file, metadata, [part])
            path = layer_path(layer, self._number)
            found.append(StoredFile(path, HEADER_BYTES + part.n_bytes, digest.hexdigest()))
        return found


def header_of(recipe: Recipe, layer: int, number: int) -> dict[str, str]:
    """What a file of activations says of itself."""
    return {
        "format": str(FORMAT),
        "backbone": recipe.backbone.digest,
        "layer": str(layer),
        "shard": str(number),
    }


def write_shard(
    folder: Path,
    recipe: Recipe,
    number: int,
    batches: Iterator[tuple[list[StoredPicture], list[bytes], list[Tensor]]],
    skipped: list[Skipped],
) -> None:
    """Write a shard's files, whole or not at all.

    Args:
        folder: the store.
        recipe: of the store.
        number: of the shard.
        batches: pictures, their thumbnails, and (b, P, D) of each layer.
        skipped: filled while ``batches`` are drawn.

    Raises:
        SaecliError: if the disk is full or the place can't be written.
    """
    pictures: list[StoredPicture] = []
    thumbnails: list[bytes] = []
    with ExitStack() as stack:
        paths = [folder / layer_path(layer, number) for layer in recipe.layers]
        files = [stack.enter_context(write_whole(path)) for path in paths]
        writer = ShardWriter(recipe, number, files)
        for known, small, activations in batches:
            writer.append(activations)
            pictures += known
            thumbnails += small
        found = writer.finish()
    found.append(_write(folder, thumbnails_path(number), b"".join(thumbnails)))
    content = {
        "files": [asdict(file) for file in found],
        "pictures": [list(asdict(one).values()) for one in pictures],
        "skipped": [asdict(one) for one in skipped],
    }
    _write(folder, pictures_path(number), json.dumps(content).encode())


def read_shard(folder: Path, number: int) -> Shard | None:
    """A shard that is recorded, or None.

    Raises:
        SaecliError: if its list of pictures is damaged.
    """
    path = pictures_path(number)
    try:
        data = (folder / path).read_bytes()
    except FileNotFoundError:
        return None
    content = _content(folder, path, data)
    listed = StoredFile(path, len(data), hashlib.sha256(data).hexdigest())
    return Shard(
        number=number,
        n_images=len(content["pictures"]),
        n_skipped=len(content["skipped"]),
        files=(*(StoredFile(**file) for file in content["files"]), listed),
    )


def read_pictures(folder: Path, shard: Shard) -> tuple[list[StoredPicture], list[Skipped]]:
    """A shard's pictures in order, and those that could not be read.

    Raises:
        SaecliError: if the list is missing, or isn't the one in the manifest.
    """
    listed = shard.files[-1]
    try:
        data = (folder / listed.path).read_bytes()
    except OSError as error:
        raise _unreadable(folder / listed.path, error) from error
    if hashlib.sha256(data).hexdigest() != listed.sha256:
        raise SaecliError(f"'{folder / listed.path}' is damaged", DOCTOR)
    content = _content(folder, listed.path, data)
    return (
        [StoredPicture(*row) for row in content["pictures"]],
        [Skipped(**one) for one in content["skipped"]],
    )


def read_infos(folder: Path, number: int, pictures: Sequence[StoredPicture]) -> list[ImageInfo]:
    """Pictures with their thumbnails.

    Raises:
        SaecliError: if the file of thumbnails can't be read, or is cut short.
    """
    path = folder / thumbnails_path(number)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) != sum(one.thumbnail for one in pictures):
        raise SaecliError(f"'{path}' is cut short", DOCTOR)
    infos, at = [], 0
    for one in pictures:
        small = data[at : at + one.thumbnail]
        infos.append(ImageInfo(one.sha256, one.width, one.height, small))
        at += one.thumbnail
    return infos


def read_activations(path: Path, first: int, into: Tensor) -> None:
    """Read images from a file of activations.

    Args:
        path: the file.
        first: image of the shard to start at.
        into: (n, P, D), contiguous, of the file's dtype; filled.

    Raises:
        SaecliError: if the file is missing, can't be read, or is cut short.
    """
    view = _bytes_of(into)
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(HEADER_BYTES + first * (len(view) // len(into)))
            at = 0
            while at < len(view):
                n = file.readinto(view[at:])
                if not n:
                    raise SaecliError(f"'{path}' is cut short", DOCTOR)
                at += n
    except OSError as error:
        raise _unreadable(path, error) from error


def _bytes_of(tensor: Tensor) -> memoryview:
    """A contiguous tensor's memory."""
    return tensor.view(-1).view(torch.uint8).numpy().data


def _content(folder: Path, path: str, data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
        return {key: content[key] for key in ("files", "pictures", "skipped")}
    except (ValueError, TypeError, KeyError) as error:
        raise SaecliError(f"'{folder / path}' is damaged", DOCTOR) from error


def _write(folder: Path, path: str, data: bytes) -> StoredFile:
    with write_whole(folder / path) as file:
        file.write(data)
    return StoredFile(path, len(data), hashlib.sha256(data).hexdigest())


def _unreadable(path: Path, error: OSError) -> SaecliError:
    return SaecliError(f"'{path}' can't be read ({error.strerror or error})", DOCTOR)
