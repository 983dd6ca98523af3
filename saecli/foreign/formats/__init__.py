"""The formats that are read, each a module with its name, its recognition and its reader."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from saecli.errors import SaecliError, one_of
from saecli.foreign.content import Content
from saecli.foreign.formats import (
    dictionary_learning,
    llamascopium,
    overcomplete,
    prisma,
    saecli_file,
    saelens,
    saev,
    sparsify,
)
from saecli.foreign.said import Said, check_open
from saecli.foreign.source import Source
from saecli.sae.normalisation import AFFINE


@dataclass(frozen=True)
class Format:
    """One project's files.

    Attributes:
        recognises: whether a file is of this format.
        read: what it states.
        takes: what its files may leave open (names of `Said`).
    """

    recognises: Callable[[Content], bool]
    read: Callable[[Content, Said], Source]
    takes: frozenset[str]


SAECLI = saecli_file.NAME
FORMATS: dict[str, Format] = {
    saev.NAME: Format(saev.recognises, saev.read, frozenset(saev.TAKES)),
    llamascopium.NAME: Format(llamascopium.recognises, llamascopium.read, llamascopium.TAKES),
    saelens.NAME: Format(saelens.recognises, saelens.read, saelens.TAKES),
    sparsify.NAME: Format(sparsify.recognises, sparsify.read, sparsify.TAKES),
    overcomplete.NAME: Format(overcomplete.recognises, overcomplete.read, overcomplete.TAKES),
    prisma.NAME: Format(prisma.recognises, prisma.read, prisma.TAKES),
    prisma.PATCHSAE: Format(prisma.recognises, prisma.read, prisma.TAKES),
    dictionary_learning.NAME: Format(
        dictionary_learning.recognises, dictionary_learning.read, dictionary_learning.TAKES
    ),
}
"""By name, in the order in which a file is tried."""
NAMES = (*FORMATS, SAECLI)


def is_saecli(content: Content) -> bool:
    """Whether a file is a checkpoint that saecli wrote."""
    return saecli_file.recognises(content)


def read_source(content: Content, said: Said, format_: str | None = None) -> Source:
    """Read a foreign file, by its own format or the one that the user names.

    Raises:
        SaecliError: if it is of none, of another than named, or says what was said otherwise.
    """
    found = format_ or next(
        (name for name, one in FORMATS.items() if one.recognises(content)), None
    )
    if found is None:
        raise SaecliError(
            f"{content.shown} is of no format that saecli knows",
            f"name its format with --format: {one_of(FORMATS, most=9)}",
        )
    chosen = FORMATS[found]
    if not chosen.recognises(content):
        raise SaecliError(
            f"{content.shown} isn't a file of {found}", "leave --format out to have it recognised"
        )
    check_open(said, chosen.takes, found)
    source = chosen.read(content, said)
    if said.mean is not None or said.scale is not None:
        source = replace(source, normalisation=AFFINE, mean=said.mean, scale=said.scale or 1.0)
    return source
