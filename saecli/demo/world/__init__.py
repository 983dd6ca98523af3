"""The built-in world `fieldguide`: birds, landscapes and postcards drawn from a seed."""

from saecli.demo.world.canvas import IMAGE_SIZE
from saecli.demo.world.captions import (
    attribute_prompt,
    concept_prompt,
    ground_prompt,
    species_prompt,
)
from saecli.demo.world.labels import ATTRIBUTE_PARTS, CLASSES, GROUNDS, PARTS
from saecli.demo.world.picture import KINDS, Picture, caption, render
from saecli.demo.world.postcards import CONCEPTS
from saecli.demo.world.species import ATTRIBUTE_VALUES, SPECIES, Species
from saecli.demo.world.styles import STYLES

WORLD_VERSION = "1"
"""Changes whenever a picture of the same seed would look different."""

__all__ = [
    "ATTRIBUTE_PARTS", "ATTRIBUTE_VALUES", "CLASSES", "CONCEPTS", "GROUNDS", "IMAGE_SIZE",
    "KINDS", "PARTS", "SPECIES", "STYLES", "WORLD_VERSION", "Picture", "Species",
    "attribute_prompt", "caption", "concept_prompt", "ground_prompt", "render",
    "species_prompt",
]  # fmt: skip
