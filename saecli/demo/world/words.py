"""The world in words: what its pictures show, as labels would say it."""

from saecli.demo.world.captions import attribute_phrase, concept_noun, ground_noun
from saecli.demo.world.labels import GROUNDS
from saecli.demo.world.postcards import CONCEPTS
from saecli.demo.world.species import ATTRIBUTE_VALUES, SPECIES


def vocabulary() -> tuple[str, ...]:
    """Species, grounds, concepts of postcards, and what a bird can have: `a blue wing`."""
    attributes = [
        attribute_phrase(name, value)
        for name, values in ATTRIBUTE_VALUES.items()
        for value in values
        if value != "none"
    ]
    grounds = [ground_noun(ground) for ground in GROUNDS]
    concepts = [concept_noun(concept) for concept in CONCEPTS]
    return tuple(dict.fromkeys([*SPECIES, *grounds, *concepts, *attributes]))
