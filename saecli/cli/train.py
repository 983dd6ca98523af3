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
    layer: Annotated[
        int | None,
        typer.Option(
            help="The block whose output is read; default: -2, or the only one of --activations.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        Literal["default", "paper", "fieldguide"] | None,
        typer.Option(help="Settings to start from; paper: Stevens et al. 2025, Table A1."),
    ] = None,
    objective: Annotated[
        Literal["topk", "batchtopk", "relu", "jumprelu"] | None,
        typer.Option(help="TopK or BatchTopK with AuxK, ReLU + L1, or JumpReLU + L0."),
    ] = None,
    latents: Annotated[
        str | None, typer.Option(metavar="N|8x", help="How many, or a multiple of the width.")
    ] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Active latents of a patch (TopK).")] = None,
    l1: Annotated[float | None, typer.Option(min=0, help="Weight of the L1 penalty.")] = None,
    l0: Annotated[
        float | None, typer.Option(min=0, help="Weight of the L0 penalty (JumpReLU).")
    ] = None,
    prefixes: Annotated[
        str | None,
        typer.Option(
            metavar="1x,2x,4x",
            help="Widths that must reconstruct by themselves, too (Matryoshka).",
            show_default=False,
        ),
    ] = None,
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
    activations: computing.Activations = None,
    buffer: computing.Buffer = None,
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

    store = computing.store(activations, buffer)
    built_in = images is None and backbone is None and store is None
    if built_in and name is not None:
        raise SaecliError(
            "--name goes with --backbone: without it two dictionaries are trained",
            "add --backbone, and --images if the pictures are yours",
            usage=True,
        )
    if store is not None and untrained:
        raise SaecliError(
            "--untrained goes with --backbone: a store says itself what was recorded",
            "record the untrained twin with saecli record --untrained",
            usage=True,
        )
    settings = _settings(
        preset or ("fieldguide" if built_in else "default"),
        objective=objective,
        latents=latents,
        k=k,
        l1=l1,
        l0=l0,
        prefixes=None if prefixes is None else tuple(prefixes.split(",")),
        n_patches=n_patches,
        batch=batch,
        lr=lr,
        seed=seed,
    )
    details = asdict(settings) | {
        "images": images,
        "backbone": backbone,
        "layer": layer,
        "activations": None if activations is None else str(activations),
        "buffer": None if store is None else store.buffer,
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
            from saecli.workflows.built_in import LAYER, train_built_in

            report = train_built_in(
                opened,
                invocation,
                settings,
                where,
                terminal.progress(),
                layer=LAYER if layer is None else layer,
                n_images=n_images,
                untrained=untrained,
                profile=profile,
                resume=resume,
            )
        else:
            from saecli.workflows.inputs import recorded_backbone
            from saecli.workflows.train import Job, default_name, train_dictionary

            named = backbone or (recorded_backbone(store) if store else None)
            if named is None:
                raise SaecliError(
                    "--images needs a --backbone to look at them",
                    "add one, as in --backbone dinov2:FOLDER",
                    usage=True,
                )
            job = Job(
                name=name or default_name(named, untrained=untrained),
                backbone=backbone,
                images="fieldguide:train" if images is None and store is None else images,
                layer=layer,
                settings=settings,
                n_images=n_images,
                untrained=untrained,
                profile=profile,
                store=store,
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
    for count in (settings.latents, *settings.prefixes):
        n_latents_of(count, d_model=1)  # a wrong form is found before anything is loaded
    return settings
