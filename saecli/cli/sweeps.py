"""Options of `train` that take one value, or several with commas between for a sweep."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saecli.errors import SaecliError
from saecli.refs import parse_count

if TYPE_CHECKING:
    from saecli.workflows.mirrors import Mirrored


class Values(tuple[Any, ...]):
    """The values of one option; a class of its own because Typer reads `tuple` otherwise."""


def counts(text: str | Values) -> Values:
    """Read `32` or `16,32,64`."""
    return text if isinstance(text, Values) else Values(map(parse_count, _split(text)))


def widths(text: str | Values) -> Values:
    """Read `8x`, `1536` or `8x,16x`."""
    if isinstance(text, Values):
        return text
    return Values(part.lower().replace("×", "x") for part in _split(text))


def weights(text: str | Values) -> Values:
    """Read `3e-4` or `3e-4,1e-3`: numbers that aren't negative.

    Raises:
        SaecliError: if one is something else.
    """
    if isinstance(text, Values):
        return text
    found = Values(map(_number, _split(text)))
    wrong = [part for part, value in zip(_split(text), found, strict=True) if not value >= 0]
    if wrong:
        raise SaecliError(f"'{wrong[0]}' is less than 0", "write 3e-4 or 3e-4,1e-3", usage=True)
    return found


def _split(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SaecliError(
            f"'{text}' has a place without a value", "write one value, or a,b,c", usage=True
        )
    return parts


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SaecliError(f"'{text}' is no number", "write 3e-4 or 3e-4,1e-3", usage=True)
    return value


Latents = Annotated[
    Values | None,
    typer.Option(parser=widths, metavar="N|8x[,…]", help="How many, or a multiple of the width."),
]
K = Annotated[
    Values | None,
    typer.Option(
        parser=counts,
        metavar="N[,…]",
        help="Active latents of a patch (TopK; in the mean: BatchTopK; at first: JumpReLU).",
    ),
]
L1 = Annotated[
    Values | None,
    typer.Option(parser=weights, metavar="WEIGHT[,…]", help="Weight of the L1 penalty (ReLU)."),
]
L0 = Annotated[
    Values | None,
    typer.Option(parser=weights, metavar="WEIGHT[,…]", help="Weight of the L0 penalty (JumpReLU)."),
]
Lr = Annotated[
    Values | None,
    typer.Option(parser=weights, metavar="RATE[,…]", help="Adam's peak learning rate."),
]
Prefixes = Annotated[
    Values | None,
    typer.Option(
        parser=widths,
        metavar="1x,2x,…",
        help="Widths that must reconstruct by themselves, too (Matryoshka).",
        show_default=False,
    ),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        show_default=False,
        help="Copy the training's figures there for TensorBoard.",
    ),
]
Wandb = Annotated[
    str | None,
    typer.Option(
        "--wandb",
        metavar="PROJECT",
        show_default=False,
        help="Copy the training's figures to Weights & Biases.",
    ),
]


def mirrored(tensorboard: Path | None, wandb: str | None) -> "Mirrored":
    """Where figures are copied to."""
    from saecli.workflows.mirrors import Mirrored

    return Mirrored(None if tensorboard is None else tensorboard.expanduser(), wandb)
