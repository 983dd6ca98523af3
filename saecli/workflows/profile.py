"""Profile a dictionary over an image set and keep the result in the catalog."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.profiling import ExemplarArrays, ProfileArrays, store_profile
from saecli.progress import Progress
from saecli.records import ProfileReport
from saecli.workflows.inputs import Store, of_dictionary
from saecli.workflows.models import load_dictionary
from saecli.workflows.pictures import register

if TYPE_CHECKING:
    from saecli.activations.settings import CacheSettings
    from saecli.activations.source import Source
    from saecli.images.sources import ImageSource
    from saecli.profiling.maps import PatchMaps
    from saecli.profiling.profiler import Profile, ProfileSettings
    from saecli.sae.model import Dictionary


def profile_dictionary(
    catalog: Catalog,
    invocation: Invocation,
    name: str,
    images: str | None,
    settings: "ProfileSettings",
    *,
    store: Store | None = None,
    cache: "CacheSettings",
    device: str,
    n_images: int | None,
    progress: Progress,
) -> ProfileReport:
    """Profile a dictionary over a set's activations: recorded now, found recorded, or a store's.

    Raises:
        SaecliError: if there is no such dictionary, or the store isn't of its backbone and layer.
    """
    with catalog.reading() as session:
        info = get_dictionary(session, name)
    inputs = of_dictionary(
        info, images, store, progress, cache=cache, device=device, n_images=n_images
    )
    dictionary = load_dictionary(catalog, info, inputs.device)
    dictionary.check_fits(inputs.backbone, inputs.layer)
    return profile_activations(
        catalog,
        invocation,
        info,
        dictionary,
        inputs.activations,
        inputs.pictures,
        settings,
        progress,
    )


def profile_activations(
    catalog: Catalog,
    invocation: Invocation,
    info: DictionaryInfo,
    dictionary: "Dictionary",
    activations: "Source",
    source: "ImageSource",
    settings: "ProfileSettings",
    progress: Progress,
) -> ProfileReport:
    """Profile a dictionary over activations that are at hand."""
    from saecli.profiling.profiler import profile

    started = time.monotonic()
    found = profile(dictionary, activations.batches(), activations.n_images, settings, progress)
    image_set = register(catalog, invocation, source, activations.images, activations.skipped)
    seconds = time.monotonic() - started
    stored = store_profile(
        catalog,
        invocation.id,
        dictionary=info,
        image_set=image_set,
        arrays=_arrays(found),
        settings=asdict(settings),
        seconds=seconds,
    )
    return ProfileReport(
        dictionary=info.name,
        image_set=image_set.name,
        n_images=stored.n_images,
        n_patches=stored.n_patches,
        n_latents=dictionary.n_latents,
        n_alive=stored.n_alive,
        seconds=seconds,
        skipped=[f"{one.name}: {one.reason}" for one in activations.skipped],
    )


def _arrays(profile: "Profile") -> ProfileArrays:
    kinds = {
        "top": (profile.exemplar_image, profile.exemplar_patch, profile.exemplar_activation),
        "quantile": (profile.quantile_image, profile.quantile_patch, profile.quantile_activation),
        "random": (profile.random_image, profile.random_patch, profile.random_activation),
    }
    return ProfileArrays(
        n_images=profile.n_images,
        n_patches=profile.n_patches,
        n_active=profile.n_active,
        total=profile.sum,
        maximum=profile.max,
        histogram=profile.histogram,
        edges=profile.edges,
        exemplars={
            kind: _with_maps(profile.maps, profile.n_images, *arrays)
            for kind, arrays in kinds.items()
        },
        signature_positions=profile.signature_images,
        signature=profile.signature,
        coarse=profile.coarse,
    )


def _with_maps(
    maps: "PatchMaps",
    n_images: int,
    image: NDArray[np.int32],
    patch: NDArray[np.int32],
    activation: NDArray[np.float32],
) -> ExemplarArrays:
    """Exemplars (S, R) with the patch map of each, gathered from the maps of all of them."""
    keys = maps.latent.astype(np.int64) * n_images + maps.image
    latent = np.repeat(np.arange(len(image), dtype=np.int64), image.shape[1])
    flat = image.reshape(-1).astype(np.int64)
    there = flat >= 0
    place = np.searchsorted(keys, latent[there] * n_images + flat[there])
    length = np.zeros(len(flat), dtype=np.int64)
    length[there] = maps.start[place + 1] - maps.start[place]
    offsets = np.concatenate([[0], np.cumsum(length)])
    first = np.zeros(len(flat), dtype=np.int64)
    first[there] = maps.start[place]
    entries = np.repeat(first - offsets[:-1], length) + np.arange(offsets[-1])
    peak = np.repeat(activation.reshape(-1), length)
    return ExemplarArrays(
        image=image,
        patch=patch,
        activation=activation,
        map_offsets=offsets,
        map_patches=maps.patch[entries],
        map_values=maps.level[entries] / np.float32(255) * peak,
    )
