"""What training and profiling read: pictures with a backbone, or an activation store."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.activations.settings import STORE_BUFFER
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.workflows.models import backbone_of, load_backbone
from saecli.workflows.pictures import open_pictures

if TYPE_CHECKING:
    from saecli.activations.manifest import RecordedBackbone
    from saecli.activations.settings import CacheSettings
    from saecli.activations.source import Source
    from saecli.activations.stored import Stored
    from saecli.backbones.protocol import Backbone
    from saecli.images.sources import ImageSource
    from saecli.sae.model import Identity


@dataclass(frozen=True)
class Store:
    """An activation store to read: its folder, and the patches mixed in memory."""

    folder: Path
    buffer: int = STORE_BUFFER


@dataclass(frozen=True)
class Inputs:
    """Activations with what they are of.

    Attributes:
        activations: of one layer.
        pictures: the set; the activations' image numbers are places in it.
        backbone: as it describes itself.
        layer: resolved.
        device: to compute on, resolved.
    """

    activations: "Source"
    pictures: "ImageSource"
    backbone: "RecordedBackbone"
    layer: int
    device: str

    @property
    def identity(self) -> "Identity":
        """Of a dictionary trained on them."""
        from saecli.sae.model import Identity

        untrained = self.backbone.untrained_seed is not None
        return Identity.of(self.backbone, self.layer, untrained=untrained)


def computed(
    backbone: "Backbone",
    images: str,
    layer: int,
    progress: Progress,
    *,
    cache: "CacheSettings",
    n_images: int | None,
    untrained_seed: int | None = None,
) -> Inputs:
    """Activations that the backbone computes, recorded in the cache where they fit it."""
    from saecli.activations.manifest import RecordedBackbone
    from saecli.activations.streaming import open_activations
    from saecli.backbones import resolve_layer

    pictures = open_pictures(images, progress, n_images=n_images)
    layer = resolve_layer(layer, backbone.n_blocks)
    activations = open_activations(
        backbone, pictures.files, layer, read_once=False, cache=cache, progress=progress
    )
    described = RecordedBackbone.of(backbone, untrained_seed)
    return Inputs(activations, pictures, described, layer, str(backbone.device))


def stored(
    store: Store,
    layer: int | None,
    progress: Progress,
    *,
    device: str,
    backbone: str | None = None,
    images: str | None = None,
    n_images: int | None = None,
) -> Inputs:
    """Activations of a store; no backbone runs.

    Args:
        store: to read.
        layer: may count from the end; None for the only one that it has.
        progress: told what is loaded.
        device: to compute on.
        backbone: that it must be of, by name; None for whichever it is of.
        images: the pictures that it must be of; None for whichever it is of.
        n_images: only so many of these.

    Raises:
        SaecliError: if it is unfinished or damaged, or its backbone, layer or pictures are others.
    """
    from saecli.activations.manifest import check_backbone
    from saecli.activations.stored import open_store
    from saecli.backbones import resolve_device

    found = open_store(store.folder, layer, buffer=store.buffer)
    recipe = found.manifest.recipe
    if backbone is not None:
        loaded = load_backbone(backbone, progress, device="cpu")
        check_backbone(store.folder, recipe, loaded.digest, backbone)
    pictures = found.pictures
    if images is not None:
        _check_pictures(found, open_pictures(images, progress, n_images=n_images))
    return Inputs(found, pictures, recipe.backbone, found.layer, resolve_device(device))


def recorded_backbone(store: Store) -> str:
    """The name of the backbone that a store is of."""
    from saecli.activations.manifest import read_manifest

    return read_manifest(store.folder).recipe.backbone.name


def of_dictionary(
    info: DictionaryInfo,
    images: str | None,
    store: Store | None,
    progress: Progress,
    *,
    cache: "CacheSettings",
    device: str,
    n_images: int | None,
) -> Inputs:
    """Activations for a dictionary: of pictures, or of a store where it fits.

    Raises:
        SaecliError: if the store's backbone or layer isn't the dictionary's.
    """
    if store is None:
        assert images is not None
        backbone = backbone_of(info, progress, device=device)
        _check_digest(info, backbone.digest, f"the backbone {backbone.name}")
        return computed(backbone, images, info.layer, progress, cache=cache, n_images=n_images)
    found = stored(store, info.layer, progress, device=device, images=images, n_images=n_images)
    _check_digest(info, found.backbone.digest, f"the activation store '{store.folder}'")
    return found


def _check_digest(info: DictionaryInfo, digest: str, what: str) -> None:
    if info.backbone.digest != digest:
        raise SaecliError(
            f"'{info.name}' is of {info.backbone.name}, and {what} of another model (its digest "
            "of weights, configuration and image transform differs)",
            "use the one that the dictionary was trained on (saecli list)",
        )


def _check_pictures(store: "Stored", pictures: "ImageSource") -> None:
    """Return if a store's pictures are those of a set, name by name and byte by byte in length."""
    from saecli.activations.manifest import listing_of
    from saecli.images.decoding import size_of_file

    listing = listing_of([(file.name, size_of_file(file.path)) for file in pictures.files])
    recipe = store.manifest.recipe
    if recipe.listing != listing:
        raise SaecliError(
            f"the activation store '{store.folder}' was recorded over {recipe.n_files} pictures of "
            f"{recipe.spec}, and '{pictures.spec}' are {len(pictures.files)} others",
            "leave --images out, or record these with saecli record",
        )
