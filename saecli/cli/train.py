"""`saecli train`: dictionaries from pictures."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError

if TYPE_CHECKING:
    from saecli.sae.settings import TrainSettings


def train(
    images: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="A folder, a file of paths, fieldguide:train or fieldguide:test; "
            "default: the built-in world, with both its backbones.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="fieldguide-clip, fieldguide-dinov2, clip:ARCH/PRETRAINED, clip:FOLDER, "
            "dinov2:HUB_ID or dinov2:FOLDER.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            parser=options.dictionary_name,
            metavar="NAME",
            help="Of the new dictionary; default: the backbone's.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[int, typer.Option(help="The block whose output is read.")] = -2,
    preset: Annotated[
        Literal["default", "paper", "fieldguide"] | None,
        typer.Option(help="Settings to start from; paper: Stevens et al. 2025, Table A1."),
    ] = None,
    objective: Annotated[
        Literal["topk", "relu"] | None, typer.Option(help="TopK + AuxK, or ReLU + L1.")
    ] = None,
    latents: Annotated[
        str | None, typer.Option(metavar="N|8x", help="How many, or a multiple of the width.")
    ] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Active latents of a patch (TopK).")] = None,
    l1: Annotated[float | None, typer.Option(min=0, help="Weight of the L1 penalty.")] = None,
    n_patches: Annotated[
        int | None,
        typer.Option(
            parser=options.count,
            metavar="100M",
            help="Patches to train on; default: 20 passes, at most 100M.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(parser=options.count, metavar="N", help="Patches to a step."),
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Adam's peak learning rate.")] = None,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Random backbone weights: the control for matches."),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile/--no-profile", help="Profile it over the same pictures.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    n_images: computing.NImages = None,
    device: options.Device = "auto",
    precision: computing.Precision = "float32",
    cache: computing.Cache = None,
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Train dictionaries and profile them; without arguments, those of the built-in world."""
    from saecli.render.tables import train_table
    from saecli.workflows.train import Computing

    built_in = images is None and backbone is None
    if built_in and name is not None:
        raise SaecliError(
            "--name goes with --backbone: without it two dictionaries are trained",
            "add --backbone, and --images if the pictures are yours",
            usage=True,
        )
    settings = _settings(
        preset or ("fieldguide" if built_in else "default"),
        objective=objective,
        latents=latents,
        k=k,
        l1=l1,
        n_patches=n_patches,
        batch=batch,
        lr=lr,
        seed=seed,
    )
    details = asdict(settings) | {
        "images": images,
        "backbone": backbone,
        "layer": layer,
        "n_images": n_images,
        "untrained": untrained,
        "device": device,
        "precision": precision,
        "cache": cache,
        "profile": profile,
        "resume": resume,
    }
    with runs.recorded(catalog, "train", details, seed=seed, create=True) as (opened, invocation):
        where = Computing(device, precision, computing.cache_settings(opened.files, cache))
        if built_in:
            from saecli.workflows.built_in import train_built_in

            report = train_built_in(
                opened,
                invocation,
                settings,
                where,
                terminal.progress(),
                layer=layer,
                n_images=n_images,
                untrained=untrained,
                profile=profile,
                resume=resume,
            )
        else:
            from saecli.workflows.train import Job, default_name, train_dictionary

            if backbone is None:
                raise SaecliError(
                    "--images needs a --backbone to look at them",
                    "add one, as in --backbone dinov2:FOLDER",
                    usage=True,
                )
            job = Job(
                name=name or default_name(backbone, untrained=untrained),
                backbone=backbone,
                images="fieldguide:train" if images is None else images,
                layer=layer,
                settings=settings,
                n_images=n_images,
                untrained=untrained,
                profile=profile,
            )
            report = train_dictionary(
                opened, invocation, job, where, terminal.progress(), resume=resume
            )
    output.emit(report, as_json=as_json, table=train_table)


def _settings(preset: str, **chosen: object) -> "TrainSettings":
    """A preset with what the user chose in its place."""
    from saecli.sae.settings import PRESETS, n_latents_of

    given = {key: value for key, value in chosen.items() if value is not None}
    settings = replace(PRESETS[preset], **given)  # type: ignore[arg-type]
    n_latents_of(settings.latents, d_model=1)  # a wrong form is found before anything is loaded
    return settings
