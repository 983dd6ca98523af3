"""The prompts that zero-shot answers are read from."""

from __future__ import annotations

from saecli.demo.world import (
    ATTRIBUTE_VALUES,
    CONCEPTS,
    GROUNDS,
    SPECIES,
    attribute_prompt,
    concept_prompt,
    ground_prompt,
    species_prompt,
)


def species_prompts() -> dict[str, str]:
    """A prompt for each species, by its name."""
    return {name: species_prompt(name) for name in SPECIES}


def ground_prompts() -> dict[str, str]:
    """A prompt for each ground, by its name."""
    return {ground: ground_prompt(ground) for ground in GROUNDS}


def concept_prompts() -> dict[str, str]:
    """A prompt for each concept of the postcards, by its name."""
    return {concept: concept_prompt(concept) for concept in CONCEPTS}


def attribute_prompts(attribute: str) -> dict[str, str]:
    """A prompt for each value of an attribute that some species has, by the value."""
    worn = {bird.attributes[attribute] for bird in SPECIES.values()}
    return {
        value: attribute_prompt(attribute, value)
        for value in ATTRIBUTE_VALUES[attribute]
        if value in worn
    }


def every_prompt() -> list[str]:
    """Every prompt of the world, also for attribute values that no species has."""
    attributes = [
        attribute_prompt(name, value)
        for name, values in ATTRIBUTE_VALUES.items()
        for value in values
    ]
    known = (species_prompts(), ground_prompts(), concept_prompts())
    return [*(text for prompts in known for text in prompts.values()), *attributes]
