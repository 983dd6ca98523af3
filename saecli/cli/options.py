"""Options and arguments that several commands share, and the parsers of their values.

A parser raises the `SaecliError` of the value's own reader; the shell shows its sentence and
exits with 2.
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from saecli.errors import SaecliError, one_of
from saecli.refs import (
    Concept,
    parse_concept,
    parse_count,
    parse_latent,
    parse_patches,
    parse_size,
)
from saecli.refs import check_dictionary_name as dictionary_name

MOST_SEED = 2**63 - 1  # what the catalog can store
MOST_ROWS = 100_000  # more than anybody reads
MOST_EXEMPLARS = 4_096  # of each latent
DEVICES = ("auto", "cpu", "cuda", "mps")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class Patches(tuple[int, ...]):
    """A patch list; a class of its own because Typer reads `tuple` as several values."""


def patches(text: str | Patches) -> Patches:
    """Read `3,4,10-13`."""
    return text if isinstance(text, Patches) else Patches(parse_patches(text))


def latent(text: str | Concept) -> Concept:
    """Read a reference to one latent, `clip:12`."""
    return text if isinstance(text, Concept) else parse_latent(text)


def concept(text: str | Concept) -> Concept:
    """Read a reference to one or several latents of one dictionary, `clip:12+40`."""
    return text if isinstance(text, Concept) else parse_concept(text)


def count(text: str | int) -> int:
    """Read `4096`, `64k` or `100M`."""
    return text if isinstance(text, int) else parse_count(text)


def size(text: str | int) -> int:
    """Read `500MB` or `20GB`, in bytes."""
    return text if isinstance(text, int) else parse_size(text)


def device(text: str) -> str:
    """Read the name of a device.

    Raises:
        SaecliError: if it is none that saecli knows.
    """
    if not _DEVICE.fullmatch(text):
        raise SaecliError(
            f"'{text}' is no device", f"name one of {one_of(DEVICES, text)}", usage=True
        )
    return text


Catalog = Annotated[
    Path | None,
    typer.Option(
        "--catalog",
        metavar="PATH",
        show_default=False,
        help="The catalog's file; default: $SAECLI_CATALOG, else ./catalog.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the table.")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, max=MOST_SEED, help="Same seed, same machine: same result."),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        parser=device,
        metavar="auto|cpu|cuda|mps",
        help="Where to compute; auto takes a GPU if there is one.",
    ),
]
Images = Annotated[
    str,
    typer.Option(
        "--images",
        metavar="SET",
        help="A folder, a file of paths, tar or Parquet shards, or fieldguide:train or :test.",
    ),
]
AnyImages = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="SET",
        help="A folder, a file of paths, tar or Parquet shards, or fieldguide:train or :test.",
        show_default=False,
    ),
]
Backbone = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="fieldguide-clip, fieldguide-dinov2, clip:ARCH/PRETRAINED, clip:FOLDER, "
        "dinov2:HUB_ID or dinov2:FOLDER, dinov3:HUB_ID or dinov3:FOLDER.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", show_default=False, help="Where to write the picture."),
]

LatentRef = Annotated[
    Concept,
    typer.Argument(parser=latent, metavar="DICTIONARY:INDEX", show_default=False),
]
ConceptRef = Annotated[
    Concept,
    typer.Argument(parser=concept, metavar="DICTIONARY:INDEX[+INDEX…]", show_default=False),
]
DictionaryName = Annotated[
    str,
    typer.Option("--name", parser=dictionary_name, metavar="NAME", show_default=False),
]
