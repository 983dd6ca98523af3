"""Names of things on the command line: `clip:6909`, `clip:6909+4299`, patch lists, counts."""

import re
from dataclasses import dataclass

from saecli.errors import SaecliError

BUILT_IN_PICTURES = "fieldguide:"  # fieldguide:train, fieldguide:train/000012.png
RECORDS = ("experiment", "hypothesis")  # experiment:12, hypothesis:7
DICTIONARY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REF = re.compile(rf"({DICTIONARY_NAME.pattern}):(\d+(?:\+\d+)*)")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)[bB]?")
_FACTOR = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000, "t": 10**12}


@dataclass(frozen=True)
class Concept:
    """One or several latents of one dictionary, in ascending order."""

    dictionary: str
    latents: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dictionary}:{'+'.join(map(str, self.latents))}"


def latent_ref(dictionary: str, latent: int) -> str:
    """`clip:6909`."""
    return f"{dictionary}:{latent}"


def parse_concept(text: str) -> Concept:
    """Read `DICTIONARY:INDEX` or `DICTIONARY:INDEX+INDEX`.

    Raises:
        SaecliError: if the text has another form.
    """
    found = _REF.fullmatch(text.strip())
    if not found:
        raise SaecliError(
            f"'{text}' is no latent reference",
            "write DICTIONARY:INDEX, as in clip:12, or clip:12+40 for a set",
            usage=True,
        )
    return Concept(found[1], tuple(sorted({int(i) for i in found[2].split("+")})))


def parse_latent(text: str) -> Concept:
    """Read a reference to exactly one latent.

    Raises:
        SaecliError: if it is none, or names a set.
    """
    concept = parse_concept(text)
    if len(concept.latents) != 1:
        raise SaecliError(
            f"'{text}' names {len(concept.latents)} latents",
            "name one, as in " + latent_ref(concept.dictionary, concept.latents[0]),
            usage=True,
        )
    return concept


def parse_patches(text: str) -> tuple[int, ...]:
    """Read a patch list such as `3,4,10-13`, in ascending order, each patch once.

    Raises:
        SaecliError: if the text has another form, or a range runs backwards.
    """
    patches: set[int] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first:
            raise SaecliError(
                f"'{part.strip()}' is no patch or range of patches",
                "write patches as 3,4,17 or 10-13",
                usage=True,
            )
        if last > 1_000_000:
            raise SaecliError(
                f"patch {last} is beyond any grid", "give patches of the image's grid", usage=True
            )
        patches.update(range(first, last + 1))
    return tuple(sorted(patches))


def parse_count(text: str) -> int:
    """Read a count such as `4096`, `64k`, `100M` (decimal multiples).

    Raises:
        SaecliError: if the text has another form, or the count is not whole and positive.
    """
    found = _COUNT.fullmatch(text.strip())
    value = float(found[1]) * _FACTOR[found[2].lower()] if found else 0.0
    if value < 1 or value != int(value):
        raise SaecliError(f"'{text}' is no count", "write it as 4096, 64k or 100M", usage=True)
    return int(value)


def parse_size(text: str) -> int:
    """Read a size in bytes such as `500MB`, `20GB` or `0` (decimal multiples).

    Raises:
        SaecliError: if the text has another form.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise SaecliError(f"'{text}' is no size", "write it as 500MB or 20GB", usage=True)
    return int(float(found[1]) * _FACTOR[found[2].lower()])


def check_dictionary_name(name: str) -> str:
    """Return the name if it can stand before the colon of a reference.

    Raises:
        SaecliError: if it can't.
    """
    if name in RECORDS:
        raise SaecliError(
            f"'{name}' can't name a dictionary, since {name}:1 is a record of the catalog",
            "choose another name",
            usage=True,
        )
    if _REF.fullmatch(name):
        raise SaecliError(
            f"'{name}' names a latent, and a dictionary is wanted",
            f"leave its number: {name.partition(':')[0]}",
            usage=True,
        )
    if not DICTIONARY_NAME.fullmatch(name):
        raise SaecliError(
            f"'{name}' can't name a dictionary",
            "use letters, digits, '.', '_' and '-', starting with a letter or digit",
            usage=True,
        )
    return name


def parse_record(text: str, kind: str) -> int:
    """Read the number of `experiment:12` or `hypothesis:7`; `12` alone does, too.

    Raises:
        SaecliError: if the text has another form.
    """
    number = text.strip().removeprefix(f"{kind}:")
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 2**63):
        raise SaecliError(f"'{text}' names no {kind}", f"write it as {kind}:12", usage=True)
    return int(number)
