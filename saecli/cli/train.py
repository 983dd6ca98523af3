"""`saecli train`: dictionaries from pictures."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from saecli.cli import computing, options, output, runs, sweeps, terminal
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
    latents: sweeps.Latents = None,
    k: sweeps.K = None,
    l1: sweeps.L1 = None,
    l0: sweeps.L0 = None,
    prefixes: sweeps.Prefixes = None,
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
    lr: sweeps.Lr = None,
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
    tensorboard: sweeps.TensorBoard = None,
    wandb: sweeps.Wandb = None,
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Train dictionaries and profile them; without arguments, those of the built-in world."""
    from saecli.render.tables import train_table
    from saecli.sae.settings import n_latents_of
    from saecli.workflows.together import team
    from saecli.workflows.train import Computing
    from saecli.workflows.variants import variants

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
        prefixes=None if prefixes is None else tuple(prefixes),
        n_patches=n_patches,
        batch=batch,
        seed=seed,
    )
    chosen = {"latents": latents, "k": k, "l1": l1, "l0": l0, "lr": lr}
    choices = {key: list(values) for key, values in chosen.items() if values}
    for count in (*choices.get("latents", []), *settings.prefixes):
        n_latents_of(count, d_model=1)  # a wrong form is found before anything is loaded
    swept = variants(settings, choices)
    details = (
        asdict(settings)
        | choices
        | {
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
    )
    progress = terminal.progress()
    with team(device, progress) as joined:
        if joined is None:  # another process has the catalog and reports
            return
        members, place = joined
        with runs.recorded(catalog, "train", details, seed=seed, create=True) as (
            opened,
            invocation,
        ):
            where = Computing(place, precision, computing.cache_settings(opened.files, cache))
            if built_in:
                from saecli.workflows.built_in import LAYER, train_built_in

                report = train_built_in(
                    opened,
                    invocation,
                    swept,
                    where,
                    progress,
                    layer=LAYER if layer is None else layer,
                    n_images=n_images,
                    untrained=untrained,
                    profile=profile,
                    mirrored=sweeps.mirrored(tensorboard, wandb),
                    resume=resume,
                    team=members,
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
                    variants=swept,
                    n_images=n_images,
                    untrained=untrained,
                    profile=profile,
                    store=store,
                    mirrored=sweeps.mirrored(tensorboard, wandb),
                )
                report = train_dictionary(
                    opened, invocation, job, where, progress, resume=resume, team=members
                )
    output.emit(report, as_json=as_json, table=train_table)


def _settings(preset: str, **chosen: object) -> "TrainSettings":
    """A preset with what the user chose in its place."""
    from saecli.sae.settings import PRESETS

    given = {key: value for key, value in chosen.items() if value is not None}
    return replace(PRESETS[preset], **given)  # type: ignore[arg-type]
