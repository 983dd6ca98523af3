"""`saecli knockout`: suppress latents inside the network, against controls."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.cli import plan_options as of
from saecli.records import as_json as plain


def knockout(
    context: typer.Context,
    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DICTIONARY:INDEX[+INDEX…]]…",
            help="The latents, of one dictionary; default: the strongest of the last inspect.",
            show_default=False,
        ),
    ] = None,
    hypothesis: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Run exactly what was stated by saecli hypothesis add."
        ),
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="Many hypotheses from a TOML file, tested together.",
            show_default=False,
        ),
    ] = None,
    images: of.Pictures = None,
    probe: of.Probe = None,
    class_name: of.ClassName = None,
    expect: of.Expect = None,
    masks: of.Masks = None,
    twins: of.Twins = None,
    groups: of.Groups = None,
    value: of.Value = "ablate",
    scope: of.Scope = "active",
    doses: of.Doses = None,
    controls: of.Controls = None,
    alpha: of.Alpha = None,
    smallest_effect: of.SmallestEffect = None,
    most_without: of.MostWithout = None,
    least_images: of.LeastImages = None,
    n_images: computing.NImages = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Where to write the picture; with --plan a folder, for one of each experiment.",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """Knock latents out and measure, against controls, what becomes of a prediction."""
    if plan_file is not None:
        from saecli.cli.family import knock_out_family

        knock_out_family(context, plan_file, out, device, catalog, as_json)
        return
    from saecli.render.knockout_table import knockout_table
    from saecli.render.saving import check_picture_name
    from saecli.workflows.knockout import knock_out
    from saecli.workflows.observed import plan_from_observation
    from saecli.workflows.stating import stated_plan

    if out is not None:
        check_picture_name(out)
    if hypothesis is not None:
        of.check_alone(context, hypothesis)
    of.check(class_name=class_name, expect=expect, value=value, scope=scope, doses=doses)
    given = None
    if refs:
        given = of.named_plan(of.one_concept(refs), images, probe, class_name)
    with runs.recorded(catalog, "knockout", {}, seed=seed) as (opened, invocation):
        committed = None
        if hypothesis is not None:
            committed, plan = stated_plan(opened, hypothesis)
        elif given is not None:
            plan = given
        else:
            plan = plan_from_observation(
                opened,
                images=images,
                probe=probe,
                class_name=class_name,
                device=device,
                progress=terminal.progress(),
            )
        if committed is None:
            plan = of.completed(
                plan,
                expect=expect or plan.expect,
                value=value,
                scope=scope,
                doses=doses,
                controls=controls,
                seed=seed,
                masks=masks,
                twins=twins,
                groups=groups,
                n_images=n_images,
                alpha=alpha,
                smallest_effect=smallest_effect,
                most_without=most_without,
                least_images=least_images,
            )
        invocation.resolve(plain(plan) | {"device": device}, seed=plan.seed)
        done = knock_out(
            opened,
            invocation,
            plan,
            device=device,
            progress=terminal.progress(),
            committed=committed,
        )
    if out is not None:
        from saecli.cli.sheets import write_experiment_figure

        write_experiment_figure(done, out)
        terminal.note(f"wrote {out}")
    output.emit(done.report, as_json=as_json, table=knockout_table)
