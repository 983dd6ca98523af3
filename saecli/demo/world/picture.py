"""One picture of the built-in world: what it shows, and its pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saecli.demo.world.birds import draw_bird
from saecli.demo.world.canvas import Canvas
from saecli.demo.world.captions import compose
from saecli.demo.world.labels import GROUNDS
from saecli.demo.world.landscapes import draw_scenery
from saecli.demo.world.postcards import CONCEPTS, draw_postcard
from saecli.demo.world.species import ATTRIBUTE_VALUES, SPECIES, species_of
from saecli.demo.world.styles import STYLES, cartoon, photograph, sketch
from saecli.errors import SaecliError, one_of

KINDS = ("bird", "landscape", "postcard")
KIND_SHARES = (0.62, 0.18, 0.20)
"""Shares of the kinds where the caller names none."""

HABITAT = "habitat"


@dataclass(frozen=True)
class Picture:
    """A picture and everything that is true of it.

    Attributes:
        image: (112, 112, 3) uint8, sRGB.
        mask: (112, 112) uint8, the index in `CLASSES` of what each pixel shows.
        kind: "bird", "landscape" or "postcard".
        species: the bird's, or None; None too for a bird whose attributes no species has.
        concept: what a postcard stands for, or None.
        symbol: what a postcard depicts, or None.
        style: in which style a postcard is drawn, or None.
        habitat: the main ground of a bird or landscape, or None.
        attributes: a bird's, by name; empty for the others.
        caption: a phrase in English.
        second: the other ground that a bird or landscape shows, or None.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    kind: str
    species: str | None
    concept: str | None
    symbol: str | None
    style: str | None
    habitat: str | None
    attributes: dict[str, str]
    caption: str
    second: str | None = None


def caption(picture: Picture, rng: np.random.Generator) -> str:
    """Another caption of the picture; a quarter of them name a single attribute.

    Args:
        picture: what to describe.
        rng: chooses what is said, and how.

    Returns:
        A phrase such as "a photo of a blue jay", "a bird with a red head", "a photo of sand"
        or "a postcard of Brazil".
    """
    return compose(picture, picture.second, rng)


def render(
    seed: int,
    index: int,
    *,
    kind: str | None = None,
    species: str | None = None,
    concept: str | None = None,
    counterfactual: Mapping[str, str] | None = None,
) -> Picture:
    """Draw a picture; the same arguments always give the same one, in any order.

    With a counterfactual, everything that chance decides stays as it is: only the pixels
    that show the attribute change. Another habitat keeps the composition.

    Args:
        seed: of the whole set, 0 or more.
        index: of the picture in it, 0 or more.
        kind: draw only this kind.
        species: draw only this species (of birds).
        concept: draw only this concept (of postcards).
        counterfactual: values of a bird's attributes, or of the habitat, to swap in.

    Returns:
        The picture, its mask and its facts.

    Raises:
        SaecliError: where a name or value is unknown, or two of them contradict.
    """
    if seed < 0 or index < 0:
        raise SaecliError(
            f"seed {seed} and index {index} name no picture of the built-in world",
            "use numbers from 0 up",
            usage=True,
        )
    kind = _settle_kind(kind, species, concept, counterfactual)
    rng = np.random.default_rng((seed, index))
    drawn_kind = KINDS[int(np.searchsorted(np.cumsum(KIND_SHARES)[:-1], rng.random(), "right"))]
    kind = kind or drawn_kind
    if kind == "postcard":
        if counterfactual:
            raise SaecliError(
                "a postcard has no attributes to swap",
                "leave the counterfactual out, or ask for --kind bird",
                usage=True,
            )
        return _postcard(rng, concept)
    if kind == "landscape":
        return _landscape(rng, dict(counterfactual or {}))
    return _bird(rng, species, dict(counterfactual or {}))


def _known(what: str, value: str, allowed: Iterable[str]) -> None:
    names = tuple(allowed)
    if value not in names:
        raise SaecliError(
            f"the built-in world has no {what} '{value}'",
            f"use one of {one_of(names, value, most=9)}",
            usage=True,
        )


def _settle_kind(
    kind: str | None,
    species: str | None,
    concept: str | None,
    counterfactual: Mapping[str, str] | None,
) -> str | None:
    """Check the caller's wishes and return the kind that follows from them."""
    implied: dict[str, str] = {}
    if kind is not None:
        _known("kind of picture", kind, KINDS)
        implied["kind"] = kind
    if species is not None:
        _known("species", species, SPECIES)
        implied["species"] = "bird"
    if concept is not None:
        _known("concept", concept, CONCEPTS)
        implied["concept"] = "postcard"
    for attribute, value in (counterfactual or {}).items():
        _known("attribute", attribute, (*ATTRIBUTE_VALUES, HABITAT))
        if attribute == HABITAT:
            _known("habitat", value, GROUNDS)
        else:
            _known(attribute, value, ATTRIBUTE_VALUES[attribute])
            implied["counterfactual"] = "bird"
    kinds = set(implied.values())
    if len(kinds) > 1:
        raise SaecliError(
            f"{' and '.join(implied)} ask for different kinds of picture "
            f"({' and '.join(sorted(kinds))})",
            "leave one of them out",
            usage=True,
        )
    return kinds.pop() if kinds else None


def _captioned(picture: Picture, rng: np.random.Generator) -> Picture:
    return replace(picture, caption=caption(picture, rng))


def _bird(rng: np.random.Generator, species: str | None, swapped: dict[str, str]) -> Picture:
    names = tuple(SPECIES)
    drawn = names[int(rng.integers(len(names)))]
    attributes = dict(SPECIES[species or drawn].attributes)
    habitat = swapped.pop(HABITAT, None)
    attributes.update(swapped)

    canvas = Canvas()
    scene = draw_scenery(canvas, rng, habitat, low=True)
    pose = draw_bird(canvas, rng, attributes, perch=scene.habitat in ("tree", "sky"))
    image = photograph(canvas, rng, horizon=scene.horizon, pose=pose)
    picture = Picture(
        image, canvas.mask(canvas.inks()), "bird", species_of(attributes), None, None, None,
        scene.habitat, attributes, "", scene.second,
    )  # fmt: skip
    return _captioned(picture, rng)


def _landscape(rng: np.random.Generator, swapped: dict[str, str]) -> Picture:
    canvas = Canvas()
    scene = draw_scenery(canvas, rng, swapped.get(HABITAT), low=False)
    image = photograph(canvas, rng, horizon=scene.horizon)
    picture = Picture(
        image, canvas.mask(canvas.inks()), "landscape", None, None, None, None,
        scene.habitat, {}, "", scene.second,
    )  # fmt: skip
    return _captioned(picture, rng)


def _postcard(rng: np.random.Generator, concept: str | None) -> Picture:
    names = tuple(CONCEPTS)
    drawn = names[int(rng.integers(len(names)))]
    concept = concept or drawn
    symbols = CONCEPTS[concept]
    symbol = symbols[int(rng.integers(len(symbols)))]
    style = STYLES[int(rng.integers(len(STYLES)))]

    canvas = Canvas()
    draw_postcard(canvas, rng, concept, symbol)
    draw = {"photo": photograph, "sketch": sketch, "cartoon": cartoon}[style]
    picture = Picture(
        draw(canvas, rng), canvas.mask(canvas.inks()), "postcard", None, concept, symbol, style,
        None, {}, "",
    )  # fmt: skip
    return _captioned(picture, rng)
