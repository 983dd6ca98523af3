"""Captions are plain English, say what is true, and never name a postcard's symbol."""

from collections import Counter

import numpy as np
import pytest

from saecli.demo.world import (
    CONCEPTS,
    GROUNDS,
    SPECIES,
    Picture,
    attribute_prompt,
    caption,
    concept_prompt,
    ground_prompt,
    render,
    species_prompt,
)

SINGLE_ATTRIBUTE = ("a bird with ", "a bird on ", "a bird in ")


@pytest.fixture(scope="module")
def captioned() -> list[tuple[Picture, str]]:
    """Four captions of each of 220 pictures."""
    rng = np.random.default_rng(3)
    pictures = [render(41, index) for index in range(220)]
    return [(picture, caption(picture, rng)) for picture in pictures for _ in range(4)]


def names_one_attribute(picture: Picture, words: str) -> bool:
    if picture.kind == "bird":
        return words.startswith(SINGLE_ATTRIBUTE) and " and " not in words
    return picture.kind == "landscape" and " and " not in words


def test_captions_are_drawn_anew_and_reproducibly():
    picture = render(41, 0, kind="bird")
    drawn = {caption(picture, np.random.default_rng(seed)) for seed in range(30)}
    assert len(drawn) > 5
    assert caption(picture, np.random.default_rng(7)) == caption(picture, np.random.default_rng(7))


def test_a_quarter_of_the_captions_name_a_single_attribute(captioned):
    every = [names_one_attribute(*pair) for pair in captioned]
    birds = [names_one_attribute(*pair) for pair in captioned if pair[0].kind == "bird"]
    assert np.mean(every) == pytest.approx(0.25, abs=0.05)
    assert np.mean(birds) == pytest.approx(0.25, abs=0.05)


def test_articles_agree_with_the_next_word(captioned):
    for _, words in captioned:
        assert words == words.strip()
        assert not words.endswith(".")
        for article, word in zip(words.split(), words.split()[1:], strict=False):
            if article in ("a", "an"):
                assert (article == "an") == (word[0].lower() in "aeiou"), words


def test_captions_say_what_is_true(captioned):
    for picture, words in captioned:
        for name in SPECIES:
            assert (name in words) <= (name == picture.species), words
        for attribute, value in picture.attributes.items():
            if f" {attribute}" in words and value != "none":
                assert f"{value} {attribute}" in words, words
        if picture.kind != "postcard":
            shown = {picture.habitat, picture.second, "sky"}
            said = words.replace(str(picture.species), "").split()  # a tree swallow is no tree
            assert {ground for ground in GROUNDS if ground in said} <= shown, words


def test_postcards_share_the_concepts_word_and_name_no_symbol(captioned):
    symbols = {symbol for names in CONCEPTS.values() for symbol in names}
    nouns = Counter()
    for picture, words in captioned:
        if picture.kind == "postcard":
            assert concept_prompt(str(picture.concept)).removeprefix("a postcard of ") in words
            assert not symbols & set(words.lower().split())
            nouns[picture.concept] += 1
    assert set(nouns) == set(CONCEPTS)


def test_every_attribute_of_a_bird_is_named_alone_sometimes():
    picture = render(42, 1, species="magnolia warbler")
    rng = np.random.default_rng(0)
    drawn = {caption(picture, rng) for _ in range(600)}
    for attribute in ("wing", "breast", "head", "bars"):
        assert attribute_prompt(attribute, picture.attributes[attribute]) in drawn


def test_prompts_are_captions_that_occur(captioned):
    assert species_prompt("indigo bunting") == "a photo of an indigo bunting"
    assert attribute_prompt("breast", "orange") == "a bird with an orange breast"
    assert attribute_prompt("bars", "white") == "a bird with white bars"
    assert attribute_prompt("band", "none") == "a bird with no band"
    assert ground_prompt("sand") == "a photo of sand"
    assert ground_prompt("tree") == "a photo of a tree"
    assert concept_prompt("brazil") == "a postcard of Brazil"
    assert concept_prompt("crash") == "a postcard of an accident"
    drawn = {words for _, words in captioned}
    assert {ground_prompt(ground) for ground in GROUNDS} <= drawn
    assert {concept_prompt(concept) for concept in CONCEPTS} <= drawn
