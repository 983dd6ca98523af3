"""`saecli profile`: what each latent of one or several dictionaries does over an image set."""

from dataclasses import asdict
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError


def profile(
    dictionaries: Annotated[
        list[str],
        typer.Argument(
            metavar="DICTIONARY...",
            help="The dictionary, or several of one backbone and layer, in one pass.",
            show_default=False,
        ),
    ],
    images: options.AnyImages = None,
    exemplars: Annotated[
        int,
        typer.Option(min=1, max=options.MOST_EXEMPLARS, help="Top pictures kept of each latent."),
    ] = 16,
    activations: computing.Activations = None,
    n_images: computing.NImages = None,
    precision: computing.Precision = "float32",
    device: options.Device = "auto",
    cache: computing.Cache = None,
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Profile a dictionary over an image set: statistics, exemplars, signatures."""
    from saecli.profiling.profiler import ProfileSettings
    from saecli.records import ProfilesReport
    from saecli.render.tables import profile_table, profiles_table
    from saecli.workflows.profile import contribute, follows, profile_dictionaries

    if images is None and activations is None:
        raise SaecliError(
            "there are no pictures to profile over", "name --images or --activations", usage=True
        )
    settings = ProfileSettings(n_exemplars=exemplars, precision=precision, seed=seed)
    details = asdict(settings) | {
        "dictionary": dictionaries[0] if len(dictionaries) == 1 else dictionaries,
        "images": images,
        "activations": None if activations is None else str(activations),
        "n_images": n_images,
        "device": device,
        "cache": cache,
    }
    store = computing.store(activations)
    if follows():
        with runs.opened(catalog) as opened:
            kept = computing.cache_settings(opened.files, cache)
            contribute(
                opened, dictionaries, images, settings, store=store, cache=kept, device=device
            )
        return
    with runs.recorded(catalog, "profile", details, seed=seed) as (opened, invocation):
        found = profile_dictionaries(
            opened,
            invocation,
            dictionaries,
            images,
            settings,
            store=store,
            cache=computing.cache_settings(opened.files, cache),
            device=device,
            n_images=n_images,
            progress=terminal.progress(),
        )
    if len(found) == 1:
        output.emit(found[0], as_json=as_json, table=profile_table)
    else:
        output.emit(ProfilesReport(found), as_json=as_json, table=profiles_table)
