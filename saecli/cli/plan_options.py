"""The options that make a plan, the same for stating a hypothesis and for running one at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saecli.errors import SaecliError
from saecli.refs import Concept, parse_concept

if TYPE_CHECKING:
    from saecli.workflows.plans import Plan

Pictures = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="SET",
        help="Pictures that played no part in choosing the latents; a folder, a file of paths, or "
        "fieldguide:test.",
        show_default=False,
    ),
]
Probe = Annotated[
    str | None,
    typer.Option(
        "--probe",
        metavar="NAME",
        help="Whose prediction; of a knock-out without latents the backbone's first probe.",
    ),
]
ClassName = Annotated[
    str | None,
    typer.Option("--class", metavar="A", help="The class whose prediction should fall."),
]
Expect = Annotated[
    str | None,
    typer.Option("--expect", metavar="B", help="In favour of this class; default: any other."),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        metavar="DIR",
        help="For a segmentation probe; default: beside the pictures, else as predicted.",
    ),
]
Twins = Annotated[
    Path | None,
    typer.Option("--twins", metavar="DIR", help="Edited copies of the pictures: the upper bound."),
]
Groups = Annotated[
    Path | None,
    typer.Option(
        "--groups",
        metavar="CSV",
        help="file,group of pictures that belong together (frames of one film): intervals then "
        "resample groups, and a group of which a picture chose the latents is left out.",
    ),
]
Value = Annotated[
    str,
    typer.Option(
        "--value",
        metavar="ablate|scale:S|set:C",
        help="0, S times its activation, or C times its maximum. Beware: set:-2 on all patches "
        "moves predictions along random directions too, and one latent at 0 does little where "
        "several share a feature.",
    ),
]
Scope = Annotated[
    str,
    typer.Option(
        "--scope",
        metavar="active|all|PATCHES",
        help="Where each fires, everywhere, or there.",
    ),
]
Doses = Annotated[
    str | None,
    typer.Option(
        "--doses",
        metavar="V,V,…|sliders",
        help="Also the response to a row of values, as set:-2,set:-1,set:0; sliders goes from "
        "set:-20 to set:20.",
        show_default=False,
    ),
]
Controls = Annotated[
    int | None, typer.Option("--controls", min=1, help="How many of each kind; default: 99.")
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha", min=0.0001, max=0.5, help="The largest p that supports; default: 0.05."
    ),
]
SmallestEffect = Annotated[
    float | None,
    typer.Option(
        "--smallest-effect",
        metavar="SHARE",
        min=0,
        max=10,
        help="Of the margin before: the smallest effect of interest; default: 0.1.",
    ),
]
MostWithout = Annotated[
    float | None,
    typer.Option(
        "--most-without",
        metavar="SHARE",
        min=0,
        max=10,
        help="Of the effect: how much pictures without A may move; default: 0.5.",
    ),
]
LeastImages = Annotated[
    int | None,
    typer.Option(
        "--least-images",
        min=2,
        help="With fewer pictures (or groups) there is no experiment, with fewer without A no "
        "specificity: inconclusive; default: 20.",
    ),
]

# Parameters of the commands that a hypothesis fixes, by their names in the functions.
OF_A_PLAN = (
    *("refs", "images", "probe", "class_name", "expect", "masks", "twins", "groups", "value"),
    *("scope", "doses", "controls", "alpha", "smallest_effect", "most_without", "least_images"),
    *("n_images", "seed"),
)


def one_concept(refs: Sequence[str]) -> Concept:
    """All latents named, of one dictionary.

    Raises:
        SaecliError: if they are of several.
    """
    concepts = [parse_concept(ref) for ref in refs]
    names = sorted({concept.dictionary for concept in concepts})
    if len(names) > 1:
        raise SaecliError(
            f"the latents are of {len(names)} dictionaries ({', '.join(names)})",
            "name latents of one dictionary",
            usage=True,
        )
    latents = {latent for concept in concepts for latent in concept.latents}
    return Concept(names[0], tuple(sorted(latents)))


def named_plan(
    concept: Concept, images: str | None, probe: str | None, class_name: str | None
) -> "Plan":
    """A plan of what must be named.

    Raises:
        SaecliError: if something isn't.
    """
    from saecli.workflows.plans import Plan

    named = (("--images", images), ("--probe", probe), ("--class", class_name))
    if images is None or probe is None or class_name is None:
        missing = [name for name, value in named if value is None]
        raise SaecliError(
            f"{' and '.join(missing)} missing",
            "say which pictures, whose prediction and which class",
            usage=True,
        )
    return Plan(concept, images, probe, class_name)


def check(
    *, class_name: str | None, expect: str | None, value: str, scope: str, doses: str | None
) -> None:
    """Return if the options mean something whatever the catalog holds.

    Raises:
        SaecliError: naming the first that doesn't; then no catalog was opened.
    """
    from saecli.experiments.doses import parse_doses
    from saecli.experiments.interventions import Value, parse_scope
    from saecli.grid import Grid

    check_classes(class_name, expect, "--expect")
    Value.parse(value)
    parse_scope(scope, Grid(1_000, 1_000))  # of no size yet
    if doses is not None:
        parse_doses(doses)


def check_classes(class_name: str | None, other: str | None, option: str) -> None:
    """Return if a class is not compared with itself.

    Raises:
        SaecliError: if it is.
    """
    if class_name is not None and class_name == other:
        raise SaecliError(
            f"'{class_name}' is compared with itself",
            f"name another class with {option}, or leave it out",
            usage=True,
        )


def completed(
    plan: "Plan",
    *,
    expect: str | None,
    value: str,
    scope: str,
    doses: str | None,
    controls: int | None,
    seed: int,
    masks: Path | None,
    twins: Path | None,
    groups: Path | None,
    n_images: int | None,
    alpha: float | None,
    smallest_effect: float | None,
    most_without: float | None,
    least_images: int | None,
) -> "Plan":
    """The plan with all other options; what isn't given has its own default."""
    from dataclasses import replace

    from saecli.experiments.doses import parse_doses

    rule: dict[str, Any] = {
        "alpha": alpha,
        "smallest_share": smallest_effect,
        "most_without": most_without,
        "least_images": least_images,
    }
    given = {name: found for name, found in rule.items() if found is not None}
    return replace(
        plan,
        expect=expect,
        value=value,
        scope=scope,
        doses=() if doses is None else parse_doses(doses),
        controls=plan.controls if controls is None else replace(plan.controls, n=controls),
        rule=replace(plan.rule, **given),
        seed=seed,
        masks=masks,
        twins=twins,
        groups=groups,
        n_images=n_images,
    )


def typed(context: typer.Context) -> dict[str, str]:
    """The parameters given on the command line: as they are called there, by name."""
    found = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        # by its name: Typer has a Click of its own, whose sources are no members of Click's
        if parameter.name and source is not None and source.name == "COMMANDLINE":
            longest = max(parameter.opts, key=len)
            words = "the latents" if parameter.name == "refs" else f"the {parameter.name}"
            found[parameter.name] = longest if longest.startswith("-") else words
    return found


def check_alone(context: typer.Context, number: int) -> None:
    """Return if nothing is given that hypothesis ``number`` fixes.

    Raises:
        SaecliError: naming the first option that is.
    """
    for name, told in typed(context).items():
        if name in OF_A_PLAN:
            raise SaecliError(
                f"hypothesis {number} has its own plan, and {told} would change it",
                f"leave it out, or state another (saecli hypothesis add … --replaces {number})",
                usage=True,
            )
