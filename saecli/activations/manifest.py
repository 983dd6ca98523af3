"""What an activation store holds: a folder whose `manifest.json` says what it was computed from.

    DIR/manifest.json             the recipe, and every file with its size and SHA-256
    DIR/pictures/00000.json       of each readable picture of shard 0: name, label, hash, size
    DIR/pictures/00000.jpegs      their thumbnails, one behind another
    DIR/layer-10/00000.safetensors    `activations` (n_images, n_patches, d_model)

A shard is a run of the pictures listed, so that which picture lies where depends on the list
alone, whoever records it and however often that was interrupted. Free of torch.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from saecli.errors import SaecliError, one_of
from saecli.files import write_whole
from saecli.grid import Grid

FORMAT = 1
MANIFEST = "manifest.json"
PICTURES = "pictures"
DTYPES = ("float16", "bfloat16", "float32")
RECORD_AGAIN = "record it again with saecli record"


class Described(Protocol):
    """What a backbone says of itself."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def image_transform(self) -> str: ...
    @property
    def d_model(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def grid(self) -> Grid: ...


@dataclass(frozen=True)
class RecordedBackbone:
    """The backbone that the activations are of, as `Backbone` describes itself.

    Attributes:
        untrained_seed: of its random weights, where it is an untrained twin; else None.
    """

    name: str
    family: str
    source: str
    digest: str
    image_transform: str
    d_model: int
    n_blocks: int
    grid: Grid
    untrained_seed: int | None = None

    @classmethod
    def of(cls, backbone: Described, untrained_seed: int | None = None) -> "RecordedBackbone":
        """A backbone's description."""
        return cls(
            name=backbone.name,
            family=backbone.family,
            source=backbone.source,
            digest=backbone.digest,
            image_transform=backbone.image_transform,
            d_model=backbone.d_model,
            n_blocks=backbone.n_blocks,
            grid=backbone.grid,
            untrained_seed=untrained_seed,
        )


@dataclass(frozen=True)
class Recipe:
    """All that decides what a store's files will hold.

    Attributes:
        backbone: that ran.
        layers: resolved, ascending.
        dtype: of the activations.
        spec: the pictures, by the name of their set.
        root: the folder that names are relative to.
        n_files: pictures listed, unreadable ones included.
        listing: SHA-256 over the listed names and sizes.
        images_per_shard: pictures listed to a shard.
    """

    backbone: RecordedBackbone
    layers: tuple[int, ...]
    dtype: str
    spec: str
    root: str
    n_files: int
    listing: str
    images_per_shard: int

    @property
    def n_shards(self) -> int:
        """How many runs of pictures there are."""
        return -(-self.n_files // self.images_per_shard)


@dataclass(frozen=True)
class StoredFile:
    """A file of the store: its path in it, its size in bytes, and the SHA-256 of what it holds.

    Of activations the hash is that of everything after the header, of other files of all.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Shard:
    """A finished run of pictures: how many were readable, and its files."""

    number: int
    n_images: int
    n_skipped: int
    files: tuple[StoredFile, ...]


@dataclass(frozen=True)
class Manifest:
    """A store's manifest; of an unfinished one ``shards`` is empty.

    Attributes:
        recipe: what it is computed from.
        shards: all of them, in order, once it is complete.
        pictures: SHA-256 over the pictures' own hashes in order, once it is complete.
        made: command, versions and times, for people.
    """

    recipe: Recipe
    shards: tuple[Shard, ...] = ()
    pictures: str = ""
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all shards are there."""
        return len(self.shards) == self.recipe.n_shards

    @property
    def n_images(self) -> int:
        """Readable pictures."""
        return sum(shard.n_images for shard in self.shards)

    @property
    def n_skipped(self) -> int:
        """Pictures that could not be read."""
        return sum(shard.n_skipped for shard in self.shards)

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for shard in self.shards for file in shard.files)


def is_store(folder: Path) -> bool:
    """Whether a folder is an activation store, finished or not."""
    return (folder / MANIFEST).is_file()


def layer_path(layer: int, number: int) -> str:
    """Where the activations of a layer and shard lie in a store."""
    return f"layer-{layer}/{number:05}.safetensors"


def pictures_path(number: int) -> str:
    """Where what is known of a shard's pictures lies."""
    return f"{PICTURES}/{number:05}.json"


def thumbnails_path(number: int) -> str:
    """Where a shard's thumbnails lie."""
    return f"{PICTURES}/{number:05}.jpegs"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest whole or not at all, with a checksum over itself."""
    content = {"format": FORMAT} | asdict(manifest)
    with write_whole(folder / MANIFEST) as file:
        file.write(json.dumps(content | {"sha256": _digest(content)}, indent=1).encode())


def read_manifest(folder: Path) -> Manifest:
    """A store's manifest.

    Raises:
        SaecliError: if there is none, it is damaged, or another version of saecli wrote it.
    """
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SaecliError(
            f"'{folder}' is no activation store", "name a folder that saecli record wrote"
        ) from None
    except OSError as error:
        raise SaecliError(
            f"'{folder / MANIFEST}' can't be read ({error.strerror or error})",
            "check that you may read it",
        ) from error
    except ValueError:
        raise damaged(folder) from None
    if not isinstance(content, dict) or content.get("sha256") != _digest(
        {key: value for key, value in content.items() if key != "sha256"}
    ):
        raise damaged(folder)
    if content["format"] != FORMAT:
        raise SaecliError(
            f"the activation store '{folder}' was written by another version of saecli",
            "use that version, or record it again",
        )
    return _manifest(content)


def damaged(folder: Path) -> SaecliError:
    """What is said of a manifest that isn't what was written."""
    return SaecliError(f"the manifest of the activation store '{folder}' is damaged", RECORD_AGAIN)


def check_layer(folder: Path, recipe: Recipe, layer: int) -> None:
    """Return if the store holds a layer.

    Raises:
        SaecliError: with the layers that it has.
    """
    if layer not in recipe.layers:
        raise SaecliError(
            f"the activation store '{folder}' holds no layer {layer}",
            f"name one of {one_of(map(str, recipe.layers))}, or record it with saecli record",
        )


def check_backbone(folder: Path, recipe: Recipe, digest: str, name: str) -> None:
    """Return if the store's activations are a backbone's.

    Raises:
        SaecliError: if its weights, configuration or image transform are others'.
    """
    if recipe.backbone.digest != digest:
        raise SaecliError(
            f"the activation store '{folder}' was recorded with {recipe.backbone.name}, "
            f"which isn't {name} (another digest of weights, configuration and image transform)",
            "record this backbone with saecli record, or use the one that was recorded",
        )


def listing_of(rows: Sequence[tuple[str, int]]) -> str:
    """SHA-256 in hex over (name, size in bytes) of pictures, in order."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _manifest(content: dict[str, Any]) -> Manifest:
    recipe = content["recipe"]
    backbone = recipe["backbone"]
    return Manifest(
        recipe=Recipe(
            **recipe
            | {
                "layers": tuple(recipe["layers"]),
                "backbone": RecordedBackbone(**backbone | {"grid": Grid(**backbone["grid"])}),
            }
        ),
        shards=tuple(
            Shard(**shard | {"files": tuple(StoredFile(**file) for file in shard["files"])})
            for shard in content["shards"]
        ),
        pictures=content["pictures"],
        made=content["made"],
    )
