"""Profile dictionaries over an image set and keep the results in the catalog."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.profiling import store_profile
from saecli.errors import SaecliError
from saecli.progress import SILENT, Progress
from saecli.records import ProfileReport
from saecli.workflows.inputs import Inputs, Store, of_dictionary
from saecli.workflows.models import load_dictionary
from saecli.workflows.passes import FOLDER, class_names, forget, go_through
from saecli.workflows.pictures import register
from saecli.workflows.profiled import profile_arrays

if TYPE_CHECKING:
    from saecli.activations.processes import Processes
    from saecli.activations.settings import CacheSettings
    from saecli.activations.source import Source
    from saecli.images.sources import ImageSource
    from saecli.profiling.profiler import ProfileSettings
    from saecli.sae.model import Dictionary


def profile_dictionaries(
    catalog: Catalog,
    invocation: Invocation,
    names: Sequence[str],
    images: str | None,
    settings: "ProfileSettings",
    *,
    store: Store | None = None,
    cache: "CacheSettings",
    device: str,
    n_images: int | None,
    progress: Progress,
) -> list[ProfileReport]:
    """Profile dictionaries of one layer in one pass over a set's activations.

    The activations are recorded now, found recorded, or a store's. A pass that takes long is kept
    meanwhile, and the same command goes on with it.

    Raises:
        SaecliError: if there is no such dictionary, they are of different layers, or the store
            isn't of their backbone and layer.
    """
    from saecli.activations.processes import joined

    with joined() as here:
        opened = _open(catalog, names, images, store, progress, here, cache, device, n_images)
        return profile_activations(
            catalog,
            invocation,
            opened.infos,
            opened.dictionaries,
            opened.inputs.activations,
            opened.inputs.pictures,
            settings,
            progress,
            here=here,
            folder=catalog.files / FOLDER,
        )


def follows() -> bool:
    """Whether this is one of several processes, and not the first, which writes and reports."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0"


def contribute(
    catalog: Catalog,
    names: Sequence[str],
    images: str | None,
    settings: "ProfileSettings",
    *,
    store: Store | None,
    cache: "CacheSettings",
    device: str,
) -> None:
    """Go through this process's share of a store's images for the first process, which reports.

    Raises:
        SaecliError: as `profile_dictionaries`.
    """
    from saecli.activations.processes import joined

    with joined() as here:
        opened = _open(catalog, names, images, store, SILENT, here, cache, device, None)
        here.gather(
            go_through(
                opened.infos,
                opened.dictionaries,
                opened.inputs.activations,
                opened.inputs.pictures,
                settings,
                SILENT,
                here,
                folder=catalog.files / FOLDER,
            )
        )


@dataclass(frozen=True, eq=False)
class _Opened:
    infos: list[DictionaryInfo]
    inputs: Inputs
    dictionaries: "list[Dictionary]"


def _open(
    catalog: Catalog,
    names: Sequence[str],
    images: str | None,
    store: Store | None,
    progress: Progress,
    here: "Processes",
    cache: "CacheSettings",
    device: str,
    n_images: int | None,
) -> _Opened:
    """The dictionaries and activations that fit them, on this process's device."""
    from saecli.backbones import resolve_device

    if here.size > 1 and store is None:
        raise SaecliError(
            f"{here.size} processes share the images of an activation store, and there is none",
            "record one with saecli record, and name it with --activations",
            usage=True,
        )
    if here.size > 1 and len(names) > 1:
        raise SaecliError(
            f"{here.size} processes share the images of one dictionary, not of {len(names)}",
            "profile them one after the other, or all in one process",
            usage=True,
        )
    with catalog.reading() as session:
        infos = [get_dictionary(session, name) for name in dict.fromkeys(names)]
    _check_together(infos)
    inputs = of_dictionary(
        infos[0],
        images,
        store,
        progress,
        cache=cache,
        device=here.device(resolve_device(device)),
        n_images=n_images,
    )
    dictionaries = [load_dictionary(catalog, info, inputs.device) for info in infos]
    for dictionary in dictionaries:
        dictionary.check_fits(inputs.backbone, inputs.layer)
    return _Opened(infos, inputs, dictionaries)


def _check_together(infos: Sequence[DictionaryInfo]) -> None:
    """Return if the dictionaries read the same activations.

    Raises:
        SaecliError: naming two that don't.
    """
    first = infos[0]
    for other in infos[1:]:
        if (other.backbone.digest, other.layer) != (first.backbone.digest, first.layer):
            raise SaecliError(
                f"'{first.name}' is of {first.backbone.name} at layer {first.layer}, and "
                f"'{other.name}' of {other.backbone.name} at layer {other.layer}",
                "profile those of one backbone and layer together, others one after the other",
                usage=True,
            )


def profile_activations(
    catalog: Catalog,
    invocation: Invocation,
    infos: Sequence[DictionaryInfo],
    dictionaries: "Sequence[Dictionary]",
    activations: "Source",
    source: "ImageSource",
    settings: "ProfileSettings",
    progress: Progress,
    *,
    here: "Processes | None" = None,
    folder: Path | None = None,
) -> list[ProfileReport]:
    """Profile dictionaries over activations at hand, with other processes where there are some.

    Args:
        folder: where a long pass is kept meanwhile; None keeps none.
    """
    from saecli.profiling.profiler import finish

    started = time.monotonic()
    parts = go_through(
        infos, dictionaries, activations, source, settings, progress, here, folder=folder
    )
    shares = [parts] if here is None else here.gather(parts)
    assert shares is not None  # only the first process comes here
    found = [finish(list(of_one), settings) for of_one in zip(*shares, strict=True)]
    image_set = register(catalog, invocation, source, activations.images, activations.skipped)
    seconds = time.monotonic() - started
    classes = class_names(source)
    reports = []
    for info, profile in zip(infos, found, strict=True):
        stored = store_profile(
            catalog,
            invocation.id,
            dictionary=info,
            image_set=image_set,
            arrays=profile_arrays(profile, classes),
            settings=asdict(settings),
            seconds=seconds,
        )
        reports.append(
            ProfileReport(
                dictionary=info.name,
                image_set=image_set.name,
                n_images=stored.n_images,
                n_patches=stored.n_patches,
                n_latents=info.n_latents,
                n_alive=stored.n_alive,
                seconds=seconds,
                skipped=[f"{one.name}: {one.reason}" for one in activations.skipped],
            )
        )
    if folder is not None:
        forget(infos, activations, settings, folder, here)
    return reports
