"""`saecli hypothesis`: state a prediction with its whole plan before it is tested."""

from pathlib import Path
from typing import Annotated

import typer

from saecli.cli import computing, options, output, runs, terminal
from saecli.cli import plan_options as of
from saecli.errors import SaecliError
from saecli.records import as_json as plain


def add(
    context: typer.Context,
    text: Annotated[
        str | None, typer.Argument(help="The prediction in words.", show_default=False)
    ] = None,
    latents: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DICTIONARY:INDEX[+INDEX…]",
            help="The latents, of one dictionary.",
            show_default=False,
        ),
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="Or many hypotheses, from a TOML file as saecli knockout --plan takes it.",
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
    replaces: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="The hypothesis that this one mends; default: that of the same claim that was "
            "tested, if there is one.",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    catalog: options.Catalog = None,
    as_json: options.Json = False,
) -> None:
    """State a prediction with its whole plan, before saecli knockout --hypothesis tests it."""
    if plan_file is not None:
        from saecli.cli.family import add_family

        add_family(context, plan_file, device, catalog, as_json)
        return
    from saecli.render.experiment_tables import hypothesis_table
    from saecli.workflows.stating import state

    if text is None or not latents:
        missing = "--latents" if text is not None else "the prediction in words"
        raise SaecliError(
            f"{missing} missing", "say what you predict, and of which latents", usage=True
        )
    words = " ".join(text.split())
    if not words:
        raise SaecliError("the hypothesis is blank", "say what you predict", usage=True)
    of.check(class_name=class_name, expect=expect, value=value, scope=scope, doses=doses)
    named = of.named_plan(of.one_concept(latents), images, probe, class_name)
    with runs.recorded(catalog, "hypothesis add", {}, seed=seed) as (opened, invocation):
        plan = of.completed(
            named,
            expect=expect,
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
        invocation.resolve(plain(plan) | {"device": device})
        stated = state(
            opened,
            invocation,
            plan,
            statement=words,
            replaces=replaces,
            device=device,
            progress=terminal.progress(),
        )
    output.emit(stated, as_json=as_json, table=hypothesis_table)


def list_hypotheses(catalog: options.Catalog = None, as_json: options.Json = False) -> None:
    """List the hypotheses, registered or exploratory, with the verdicts of their experiments."""
    from saecli.catalog.evidence import hypothesis_rows
    from saecli.records import HypothesisList
    from saecli.render.experiment_tables import hypotheses_table

    with runs.opened(catalog) as opened, opened.reading() as session:
        found = HypothesisList(hypothesis_rows(session))
    output.emit(found, as_json=as_json, table=hypotheses_table)
