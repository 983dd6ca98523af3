"""The birds of the built-in world: 24 species in 12 twin pairs, told apart by attributes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ATTRIBUTE_VALUES: dict[str, tuple[str, ...]] = {
    "wing": ("blue", "grey", "brown", "green", "black", "red", "yellow", "white", "orange"),
    "breast": ("white", "grey", "yellow", "orange", "red", "black", "brown", "green", "blue"),
    "head": ("red", "brown", "black", "white", "grey", "yellow", "blue", "orange", "green"),
    "back": ("grey", "brown", "black", "green", "red", "white", "yellow", "orange", "blue"),
    "band": ("none", "black"),
    "bars": ("none", "white"),
}
"""The attributes of a bird and the values that each can take. `band` is a wide black band
across the upper breast, `bars` are broad white bars on the wing, `back` is mantle and tail."""


@dataclass(frozen=True)
class Species:
    """A kind of bird.

    Attributes:
        name: as captions write it.
        twin: the species that differs from it in one attribute.
        attributes: the value of every attribute in `ATTRIBUTE_VALUES`.
        attribute: the attribute in which it differs from its twin.
    """

    name: str
    twin: str
    attributes: dict[str, str]
    attribute: str


def _pair(
    first: str, second: str, attribute: str, values: tuple[str, str], **shared: str
) -> list[Species]:
    common = {"band": "none", "bars": "none", **shared}
    pairs = ((first, second, values[0]), (second, first, values[1]))
    return [
        Species(
            name,
            twin,
            {key: {**common, attribute: value}[key] for key in ATTRIBUTE_VALUES},
            attribute,
        )
        for name, twin, value in pairs
    ]


_BIRDS = [
    *_pair("blue jay", "Clark's nutcracker", "wing", ("blue", "grey"),
           breast="white", head="white", back="grey"),
    *_pair("tropical kingbird", "gray kingbird", "breast", ("yellow", "grey"),
           wing="brown", head="grey", back="grey"),
    *_pair("Canada warbler", "Wilson's warbler", "band", ("black", "none"),
           wing="green", breast="yellow", head="yellow", back="green"),
    *_pair("purple finch", "field sparrow", "head", ("red", "brown"),
           wing="brown", breast="white", back="brown"),
    *_pair("magnolia warbler", "hooded warbler", "bars", ("white", "none"),
           wing="black", breast="yellow", head="black", back="black"),
    *_pair("lazuli bunting", "indigo bunting", "breast", ("orange", "grey"),
           wing="brown", head="blue", back="brown"),
    *_pair("scarlet tanager", "northern cardinal", "wing", ("black", "red"),
           breast="red", head="red", back="red"),
    *_pair("black-capped chickadee", "boreal chickadee", "head", ("black", "brown"),
           wing="grey", breast="white", back="grey"),
    *_pair("green jay", "painted bunting", "breast", ("yellow", "red"),
           wing="green", head="blue", back="green"),
    *_pair("Baltimore oriole", "hooded oriole", "head", ("black", "orange"),
           wing="black", breast="orange", back="black", bars="white"),
    *_pair("barn swallow", "tree swallow", "breast", ("orange", "white"),
           wing="blue", head="black", back="black"),
    *_pair("eastern meadowlark", "palm warbler", "band", ("black", "none"),
           wing="brown", breast="yellow", head="brown", back="brown"),
]  # fmt: skip

SPECIES: dict[str, Species] = {bird.name: bird for bird in _BIRDS}
"""Every species by name, twins next to each other."""


def species_of(attributes: Mapping[str, str]) -> str | None:
    """The species that has exactly these attributes, or None."""
    for name, bird in SPECIES.items():
        if bird.attributes == dict(attributes):
            return name
    return None
