"""`saecli record`: a set's activations at one or several layers, kept in a folder."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from saecli.cli import computing, options, output, terminal
from saecli.errors import SaecliError


def layers(text: str) -> str:
    """Check a list of layers, `9,10` or `-2,-1`; kept as text, since Typer takes no tuples."""
    read_layers(text)
    return text


def read_layers(text: str) -> tuple[int, ...]:
    """Read a list of layers.

    Raises:
        SaecliError: if it is none.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SaecliError(
            f"'{text}' is no list of layers", "write it as 10 or -3,-2,-1", usage=True
        ) from None


def record(
    images: options.Images,
    backbone: options.Backbone,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The store's folder.", show_default=False)
    ],
    layers: Annotated[
        str,
        typer.Option(
            parser=layers, metavar="LAYER,…", help="The blocks whose outputs are kept, at once."
        ),
    ] = "-2",
    dtype: Annotated[
        Literal["float16", "bfloat16", "float32"], typer.Option(help="Of what is kept.")
    ] = "float16",
    shard: Annotated[
        int | None,
        typer.Option(
            "--shard-size",
            parser=options.size,
            metavar="SIZE",
            help="Of one file, about; an interrupted run loses one at most; default: 268MB.",
            show_default=False,
        ),
    ] = None,
    n_images: computing.NImages = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Random backbone weights, from the seed.")
    ] = False,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Record patch activations of one or several layers in a store that train and profile read."""
    from saecli.activations.storing import SHARD_BYTES
    from saecli.render.store_tables import record_table
    from saecli.workflows.record import Recording, record_set

    job = Recording(
        images=images,
        backbone=backbone,
        layers=read_layers(layers),
        out=out,
        dtype=dtype,
        shard_bytes=shard or SHARD_BYTES,
        n_images=n_images,
        untrained_seed=seed if untrained else None,
    )
    found = record_set(job, device, sys.argv[1:], terminal.progress())
    if found is not None:
        output.emit(found, as_json=as_json, table=record_table)
