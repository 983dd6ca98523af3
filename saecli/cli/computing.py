"""Options of the commands that compute: where, how exactly, and what they may keep at hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from saecli.cli.options import count, size

if TYPE_CHECKING:
    from saecli.activations.settings import CacheSettings
    from saecli.workflows.inputs import Store

ACTIVATIONS = "activations"  # below the catalog's folder

Precision = Annotated[
    Literal["float32", "bf16"],
    typer.Option(help="Of the encoder's product; weights and sums are float32."),
]
Cache = Annotated[
    int | None,
    typer.Option(
        "--cache",
        parser=size,
        metavar="SIZE",
        help="Most that recorded activations may take, as 500MB or 20GB; 0 keeps none.",
        show_default=False,
    ),
]
NImages = Annotated[
    int | None,
    typer.Option(
        "--n-images", min=1, help="Take only so many of the pictures, evenly spread over the set."
    ),
]

Activations = Annotated[
    Path | None,
    typer.Option(
        "--activations",
        metavar="DIR",
        help="Read a store that saecli record wrote, instead of running the backbone.",
        show_default=False,
    ),
]
Buffer = Annotated[
    int | None,
    typer.Option(
        "--buffer",
        parser=count,
        metavar="N",
        help="Patches of --activations that are mixed in memory; default: 262,144.",
        show_default=False,
    ),
]


def store(folder: Path | None, buffer: int | None = None) -> "Store | None":
    """What `--activations` and `--buffer` mean."""
    from saecli.activations.settings import STORE_BUFFER
    from saecli.workflows.inputs import Store

    return None if folder is None else Store(folder, buffer or STORE_BUFFER)


def cache_settings(files: Path, bound: int | None) -> "CacheSettings":
    """What `--cache` means: one bound for memory and for the files beside the catalog."""
    from saecli.activations.settings import CacheSettings

    folder = files / ACTIVATIONS
    if bound is None:
        return CacheSettings(folder=folder)
    defaults = CacheSettings()
    return CacheSettings(
        folder=folder,
        max_bytes_ram=min(bound, defaults.max_bytes_ram),
        max_bytes_file=bound,
    )
