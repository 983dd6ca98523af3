"""Captions in plain English, re-sampled as often as one likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

SINGLE_ATTRIBUTE_SHARE = 0.25
"""Share of the captions, of birds and of all pictures, that name a single attribute."""
_SINGLE_GROUND_SHARE = 0.55
_PLACES = {
    "sand": "on sand", "water": "in water", "grass": "in grass", "rock": "on rock",
    "snow": "on snow", "earth": "on earth", "tree": "in a tree", "sky": "in the sky",
}  # fmt: skip
_GROUND_NOUNS = {"tree": "a tree", "sky": "the sky"}
_STYLE_WORDS = {
    "photo": ("a photo of", "a postcard of", "a picture of"),
    "sketch": ("a drawing of", "a sketch of", "a postcard of"),
    "cartoon": ("a cartoon of", "a drawing of", "a postcard of"),
}
_BIRD_WORDS = ("a photo of", "a picture of", "")


class _Described(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def species(self) -> str | None: ...
    @property
    def concept(self) -> str | None: ...
    @property
    def style(self) -> str | None: ...
    @property
    def habitat(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...


def with_article(words: str) -> str:
    """'blue jay' -> 'a blue jay', 'orange breast' -> 'an orange breast'."""
    return f"{'an' if words[0].lower() in 'aeiou' else 'a'} {words}"


def ground_noun(ground: str) -> str:
    """The ground as a caption names it: 'sand', 'a tree', 'the sky'."""
    return _GROUND_NOUNS.get(ground, ground)


def attribute_phrase(attribute: str, value: str) -> str:
    """What a bird has: 'a red head', 'a black band', 'white bars', 'no bars'."""
    if value == "none":
        return f"no {attribute}"
    if attribute == "bars":
        return f"{value} bars"
    return with_article(f"{value} {attribute}")


def species_prompt(species: str) -> str:
    """The zero-shot prompt of a species: 'a photo of a blue jay'."""
    return f"a photo of {with_article(species)}"


def ground_prompt(ground: str) -> str:
    """The zero-shot prompt of a ground: 'a photo of sand'."""
    return f"a photo of {ground_noun(ground)}"


def attribute_prompt(attribute: str, value: str) -> str:
    """The zero-shot prompt of an attribute: 'a bird with a blue wing'."""
    return f"a bird with {attribute_phrase(attribute, value)}"


def concept_noun(concept: str) -> str:
    """The concept as a caption names it: 'Brazil', 'an accident'."""
    return "an accident" if concept == "crash" else concept.capitalize()


def concept_prompt(concept: str) -> str:
    """The zero-shot prompt of a postcard's concept: 'a postcard of Brazil'."""
    return f"a postcard of {concept_noun(concept)}"


def compose(picture: _Described, second: str | None, rng: np.random.Generator) -> str:
    """A caption of what a picture shows.

    Args:
        picture: its facts.
        second: the other ground that it shows, if any.
        rng: chooses the words; the same number of draws for each picture of a kind.

    Returns:
        A lower-case phrase without a full stop. Postcards are captioned by their concept
        and style alone: no symbol is ever named.
    """
    chance = rng.random(8)
    if picture.kind == "postcard":
        words = _STYLE_WORDS[str(picture.style)]
        return f"{words[int(chance[0] * len(words))]} {concept_noun(str(picture.concept))}"
    if picture.kind == "landscape":
        return _of_landscape(str(picture.habitat), second, chance)
    return _of_bird(picture, chance, rng.permutation(5))


def _of_landscape(habitat: str, second: str | None, chance: np.ndarray) -> str:
    opening = ("a photo of", "a picture of")[int(chance[0] * 2)]
    nouns = [ground_noun(habitat)]
    if second is not None and chance[1] > 0.15:
        nouns.append(ground_noun(second))
    elif second is None and habitat != "sky" and chance[2] > _SINGLE_GROUND_SHARE:
        nouns.append(ground_noun("sky"))
    return f"{opening} {' and '.join(nouns)}"


def _of_bird(picture: _Described, chance: np.ndarray, order: np.ndarray) -> str:
    worn = picture.attributes
    place = _PLACES[str(picture.habitat)]
    shown = [
        attribute_phrase(name, worn[name])
        for name in ("wing", "breast", "head", "band", "bars")
        if worn[name] != "none"
    ]
    if chance[0] < SINGLE_ATTRIBUTE_SHARE:
        # The place is an attribute too: as often as each part of the bird.
        k = int(chance[1] * (len(shown) + 1))
        return f"a bird {place}" if k == len(shown) else f"a bird with {shown[k]}"
    opening = _BIRD_WORDS[int(chance[2] * len(_BIRD_WORDS))]
    if picture.species is not None and chance[3] < 0.62:
        tail = f" {place}" if chance[4] < 0.3 else ""
        return f"{opening} {with_article(picture.species)}{tail}".strip()
    chosen = [shown[k] for k in order if k < len(shown)]
    chosen = chosen[: 2 + (chance[5] < 0.45)]
    listed = f"{', '.join(chosen[:-1])} and {chosen[-1]}"
    tail = f" {place}" if chance[6] < 0.3 else ""
    return f"{opening} a bird with {listed}{tail}".strip()
