"""`saecli knockout`: suppress latents inside the network, against controls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.errors import SaecliError
from saecli.records import as_json as plain
from saecli.refs import Concept, parse_concept

if TYPE_CHECKING:
    from saecli.workflows.plans import Plan


def knockout(
    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DICTIONARY:INDEX[+INDEX…]]…",
            help="The latents, of one dictionary; default: the strongest of the last inspect.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="Pictures that played no part in choosing the latents; a folder, a file of "
            "paths, or fieldguide:test.",
            show_default=False,
        ),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(help="Whose prediction; without latents the first probe."),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option("--class", metavar="A", help="The class whose prediction should fall."),
    ] = None,
    expect: Annotated[
        str | None, typer.Option(metavar="B", help="In favour of this class; default: any other.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For a segmentation probe; default: beside the pictures, else as predicted.",
        ),
    ] = None,
    twins: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Edited copies of the pictures: the upper bound."),
    ] = None,
    value: Annotated[
        str,
        typer.Option(
            metavar="ablate|scale:S|set:C",
            help="0, S times its activation, or C times its maximum. Beware: set:-2 on all "
            "patches moves predictions along random directions too, and one latent at 0 does "
            "little where several share a feature.",
        ),
    ] = "ablate",
    scope: Annotated[
        str,
        typer.Option(metavar="active|all|PATCHES", help="Where each fires, everywhere, or there."),
    ] = "active",
    controls: Annotated[int, typer.Option(min=1, help="How many of each kind.")] = 99,
    n_images: computing.NImages = None,
    out: options.Out = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Knock latents out and measure, against controls, what becomes of a prediction."""
    from saecli.render.knockout_table import knockout_table
    from saecli.render.saving import check_picture_name
    from saecli.workflows.knockout import knock_out
    from saecli.workflows.observed import plan_from_observation
    from saecli.workflows.plans import Plan

    if out is not None:
        check_picture_name(out)
    given = _one_concept(refs) if refs else None
    with runs.recorded(catalog, "knockout", {}, seed=seed) as (opened, invocation):
        if given is None:
            plan = plan_from_observation(
                opened,
                images=images,
                probe=probe,
                class_name=class_name,
                device=device,
                progress=terminal.progress(),
            )
        else:
            missing = [
                name
                for name, value_ in (
                    ("--images", images),
                    ("--probe", probe),
                    ("--class", class_name),
                )
                if value_ is None
            ]
            if images is None or probe is None or class_name is None:
                raise SaecliError(
                    f"{' and '.join(missing)} missing",
                    "say which pictures, whose prediction and which class",
                    usage=True,
                )
            plan = Plan(given, images, probe, class_name)
        plan = _with_options(plan, expect, value, scope, controls, seed, masks, twins, n_images)
        invocation.resolve(plain(plan) | {"device": device})
        done = knock_out(opened, invocation, plan, device=device, progress=terminal.progress())
    if out is not None:
        from saecli.cli.sheets import write_experiment_figure

        write_experiment_figure(done, out)
        terminal.note(f"wrote {out}")
    output.emit(done.report, as_json=as_json, table=knockout_table)


def _one_concept(refs: list[str]) -> Concept:
    """All latents named, of one dictionary."""
    concepts = [parse_concept(ref) for ref in refs]
    names = sorted({concept.dictionary for concept in concepts})
    if len(names) > 1:
        raise SaecliError(
            f"the latents are of {len(names)} dictionaries ({', '.join(names)})",
            "knock out latents of one at a time",
            usage=True,
        )
    latents = {latent for concept in concepts for latent in concept.latents}
    return Concept(names[0], tuple(sorted(latents)))


def _with_options(
    plan: "Plan",
    expect: str | None,
    value: str,
    scope: str,
    controls: int,
    seed: int,
    masks: Path | None,
    twins: Path | None,
    n_images: int | None,
) -> "Plan":
    from dataclasses import replace

    from saecli.experiments.controls import ControlSettings

    return replace(
        plan,
        expect=expect,
        value=value,
        scope=scope,
        controls=ControlSettings(n=controls),
        seed=seed,
        masks=masks,
        twins=twins,
        n_images=n_images,
    )
