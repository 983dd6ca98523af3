"""Profile a dictionary over an image set and keep the result in the catalog."""

import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.profiling import ExemplarArrays, ProfileArrays, store_profile
from saecli.errors import SaecliError
from saecli.progress import SILENT, Progress
from saecli.records import ProfileReport
from saecli.workflows.inputs import Inputs, Store, of_dictionary
from saecli.workflows.models import load_dictionary
from saecli.workflows.pictures import register

if TYPE_CHECKING:
    from saecli.activations.processes import Processes
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
    from saecli.activations.processes import joined

    with joined() as here:
        info, inputs, dictionary = _open(
            catalog, name, images, store, progress, here, cache, device, n_images
        )
        return profile_activations(
            catalog,
            invocation,
            info,
            dictionary,
            inputs.activations,
            inputs.pictures,
            settings,
            progress,
            here=here,
        )


def follows() -> bool:
    """Whether this is one of several processes, and not the first, which writes and reports."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0"


def contribute(
    catalog: Catalog,
    name: str,
    images: str | None,
    settings: "ProfileSettings",
    *,
    store: Store | None,
    cache: "CacheSettings",
    device: str,
) -> None:
    """Go through this process's share of a store's images for the first process, which reports.

    Raises:
        SaecliError: as `profile_dictionary`.
    """
    from saecli.activations.processes import joined

    with joined() as here:
        _, inputs, dictionary = _open(
            catalog, name, images, store, SILENT, here, cache, device, None
        )
        _profile_share(dictionary, inputs.activations, settings, SILENT, here)


def _open(
    catalog: Catalog,
    name: str,
    images: str | None,
    store: Store | None,
    progress: Progress,
    here: "Processes",
    cache: "CacheSettings",
    device: str,
    n_images: int | None,
) -> "tuple[DictionaryInfo, Inputs, Dictionary]":
    """The dictionary and activations that fit it, on this process's device."""
    from saecli.backbones import resolve_device

    if here.size > 1 and store is None:
        raise SaecliError(
            f"{here.size} processes share the images of an activation store, and there is none",
            "record one with saecli record, and name it with --activations",
            usage=True,
        )
    with catalog.reading() as session:
        info = get_dictionary(session, name)
    inputs = of_dictionary(
        info,
        images,
        store,
        progress,
        cache=cache,
        device=here.device(resolve_device(device)),
        n_images=n_images,
    )
    dictionary = load_dictionary(catalog, info, inputs.device)
    dictionary.check_fits(inputs.backbone, inputs.layer)
    return info, inputs, dictionary


def profile_activations(
    catalog: Catalog,
    invocation: Invocation,
    info: DictionaryInfo,
    dictionary: "Dictionary",
    activations: "Source",
    source: "ImageSource",
    settings: "ProfileSettings",
    progress: Progress,
    *,
    here: "Processes | None" = None,
) -> ProfileReport:
    """Profile a dictionary over activations that are at hand, with other processes if there are."""
    from saecli.profiling.profiler import profile

    started = time.monotonic()
    found = (
        profile(dictionary, activations.batches(), activations.n_images, settings, progress)
        if here is None or here.size == 1
        else _profile_share(dictionary, activations, settings, progress, here)
    )
    assert found is not None
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


def _profile_share(
    dictionary: "Dictionary",
    activations: "Source",
    settings: "ProfileSettings",
    progress: Progress,
    here: "Processes",
) -> "Profile | None":
    """This process's share of the images, and on the first the profile of all of them."""
    import torch

    from saecli.profiling.parts import gather, share_of
    from saecli.profiling.profiler import finish

    n_images = activations.n_images
    run = share_of(dictionary, n_images, here.rank, here.size)
    batches = activations.batches(images=torch.arange(run.start, run.stop))
    placed = ((run.start + start, batch) for start, batch in batches)
    parts = here.gather(gather(dictionary, placed, n_images, settings, progress, run=run))
    return None if parts is None else finish(parts, settings)


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
