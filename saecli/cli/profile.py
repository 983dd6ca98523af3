"""`saecli profile`: what each latent of a dictionary does over an image set."""

from dataclasses import asdict
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError


def profile(
    dictionary: Annotated[str, typer.Argument(help="The dictionary.", show_default=False)],
    images: options.AnyImages = None,
    exemplars: Annotated[
        int,
        typer.Option(min=1, max=options.MOST_EXEMPLARS, help="Top pictures kept of each latent."),
    ] = 16,
    activations: computing.Activations = None,
    n_images: computing.NImages = None,
    device: options.Device = "auto",
    cache: computing.Cache = None,
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Profile a dictionary over an image set: statistics, exemplars, signatures."""
    from saecli.profiling.profiler import ProfileSettings
    from saecli.render.tables import profile_table
    from saecli.workflows.profile import contribute, follows, profile_dictionary

    if images is None and activations is None:
        raise SaecliError(
            "there are no pictures to profile over", "name --images or --activations", usage=True
        )
    settings = ProfileSettings(n_exemplars=exemplars, seed=seed)
    details = asdict(settings) | {
        "dictionary": dictionary,
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
            contribute(opened, dictionary, images, settings, store=store, cache=kept, device=device)
        return
    with runs.recorded(catalog, "profile", details, seed=seed) as (opened, invocation):
        found = profile_dictionary(
            opened,
            invocation,
            dictionary,
            images,
            settings,
            store=store,
            cache=computing.cache_settings(opened.files, cache),
            device=device,
            n_images=n_images,
            progress=terminal.progress(),
        )
    output.emit(found, as_json=as_json, table=profile_table)
