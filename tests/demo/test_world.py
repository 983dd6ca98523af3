"""A picture of the built-in world is what it says: pixels, mask, attributes and twin agree."""

from collections import Counter

import numpy as np
import pytest

from saecli.demo.world import (
    ATTRIBUTE_PARTS,
    ATTRIBUTE_VALUES,
    CLASSES,
    CONCEPTS,
    GROUNDS,
    IMAGE_SIZE,
    KINDS,
    PARTS,
    SPECIES,
    STYLES,
    Picture,
    render,
)
from saecli.errors import SaecliError

PATCH = 8

# What a colour word means, apart from the palette that the renderer mixes its paints from.
COLOUR_WORDS = {
    "blue": (40, 90, 200), "grey": (145, 148, 152), "yellow": (240, 205, 40),
    "red": (200, 35, 40), "green": (55, 140, 55), "brown": (130, 80, 45),
    "black": (32, 32, 38), "white": (238, 236, 232), "orange": (232, 125, 35),
}  # fmt: skip


def shows(picture: Picture, *classes: str) -> np.ndarray:
    """(112, 112) bool, where the mask names one of the classes."""
    return np.isin(picture.mask, [CLASSES.index(name) for name in classes])


def patches(region: np.ndarray, share: float = 0.4) -> int:
    """How many 8 x 8 patches the region covers by more than the share."""
    n = IMAGE_SIZE // PATCH
    return int((region.reshape(n, PATCH, n, PATCH).mean(axis=(1, 3)) > share).sum())


def widened(region: np.ndarray) -> np.ndarray:
    """The region and the pixels that touch it: antialiasing mixes colours across an edge."""
    padded = np.pad(region, 1)
    n = len(region)
    return np.any([padded[y : y + n, x : x + n] for y in range(3) for x in range(3)], axis=0)


def nearest_word(colour: np.ndarray) -> str:
    return min(COLOUR_WORDS, key=lambda word: float(np.abs(colour - COLOUR_WORDS[word]).sum()))


def same(one: Picture, other: Picture) -> bool:
    return (
        np.array_equal(one.image, other.image)
        and np.array_equal(one.mask, other.mask)
        and one.caption == other.caption
    )


@pytest.fixture(scope="module")
def mixed() -> list[Picture]:
    return [render(31, index) for index in range(200)]


@pytest.fixture(scope="module")
def birds() -> dict[str, list[Picture]]:
    """Nine pictures of every species, the same poses and scenes for each."""
    return {name: [render(32, index, species=name) for index in range(9)] for name in SPECIES}


def test_a_picture_depends_on_seed_and_index_alone():
    forwards = [render(5, index) for index in range(8)]
    backwards = [render(5, index) for index in reversed(range(8))][::-1]
    assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not np.array_equal(forwards[0].image, render(6, 0).image)


def test_naming_the_kind_that_chance_chose_changes_nothing(mixed):
    assert all(same(mixed[index], render(31, index, kind=mixed[index].kind)) for index in range(9))


def test_every_picture_has_the_promised_shape_and_facts(mixed):
    for picture in mixed:
        assert picture.image.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
        assert picture.image.dtype == picture.mask.dtype == np.uint8
        assert picture.mask.shape == (IMAGE_SIZE, IMAGE_SIZE)
        assert picture.mask.max() < len(CLASSES)
        assert (picture.species is not None) == (picture.kind == "bird")
        assert (picture.habitat is not None) == (picture.kind != "postcard")
        if picture.kind == "postcard":
            assert picture.concept is not None
            assert picture.symbol in CONCEPTS[picture.concept]
            assert picture.style in STYLES
            assert not picture.mask.any()
        else:
            assert shows(picture, str(picture.habitat)).any()


def test_kinds_come_in_the_promised_shares(mixed):
    counts = Counter(picture.kind for picture in mixed)
    shares = [counts[kind] / len(mixed) for kind in KINDS]
    # Three standard deviations of 200 draws are about a tenth.
    np.testing.assert_allclose(shares, (0.62, 0.18, 0.20), atol=0.11)


def test_there_are_twelve_twin_pairs_that_differ_in_one_attribute():
    assert len(SPECIES) >= 24
    for name, bird in SPECIES.items():
        twin = SPECIES[bird.twin]
        assert twin.twin == name
        differing = [
            key for key in ATTRIBUTE_VALUES if bird.attributes[key] != twin.attributes[key]
        ]
        assert differing == [bird.attribute] == [twin.attribute]


def test_no_two_species_look_the_same():
    looks = {tuple(bird.attributes[key] for key in ATTRIBUTE_VALUES) for bird in SPECIES.values()}
    assert len(looks) == len(SPECIES)


def test_no_species_has_a_blue_head_and_a_blue_wing():
    for bird in SPECIES.values():
        assert (bird.attributes["head"], bird.attributes["wing"]) != ("blue", "blue")


def test_the_pairs_of_the_experiments_are_there():
    expected = {
        "blue jay": ("Clark's nutcracker", "wing", "blue", "grey"),
        "tropical kingbird": ("gray kingbird", "breast", "yellow", "grey"),
        "Canada warbler": ("Wilson's warbler", "band", "black", "none"),
        "purple finch": ("field sparrow", "head", "red", "brown"),
    }
    for name, (twin, attribute, own, other) in expected.items():
        assert (SPECIES[name].twin, SPECIES[name].attribute) == (twin, attribute)
        assert SPECIES[name].attributes[attribute] == own
        assert SPECIES[twin].attributes[attribute] == other


def test_a_twin_differs_where_its_attribute_shows_and_nowhere_else():
    for name, bird in SPECIES.items():
        value = SPECIES[bird.twin].attributes[bird.attribute]
        for index in range(2):
            original = render(33, index, species=name)
            twin = render(33, index, species=name, counterfactual={bird.attribute: value})
            parts = ATTRIBUTE_PARTS[bird.attribute]
            region = shows(original, *parts) | shows(twin, *parts)
            change = np.abs(original.image.astype(int) - twin.image).max(axis=2)
            assert twin.species == bird.twin
            assert twin.habitat == original.habitat
            assert np.array_equal(original.mask != twin.mask, region & (original.mask != twin.mask))
            # Slivers thinner than a pixel's centre may show through at the part's own edges.
            assert (change[~widened(region)] > 0).sum() <= 20
            assert (change[region] > 20).mean() > 0.95


def test_a_counterfactual_is_the_twins_own_picture():
    made = render(34, 3, species="blue jay", counterfactual={"wing": "grey"})
    assert same(made, render(34, 3, species="Clark's nutcracker"))


def test_a_made_up_bird_has_attributes_but_no_species():
    picture = render(34, 4, species="blue jay", counterfactual={"wing": "red"})
    assert picture.species is None
    assert picture.attributes == {**SPECIES["blue jay"].attributes, "wing": "red"}
    assert nearest_word(picture.image[shows(picture, "wing")].mean(axis=0)) == "red"


def test_another_habitat_keeps_bird_and_composition():
    lying = [g for g in GROUNDS if g not in ("sky", "tree")]
    originals = (render(35, index, kind="bird") for index in range(40))
    for index, original in enumerate(originals):
        if original.habitat not in ("grass", "water"):
            continue
        twin = render(35, index, kind="bird", counterfactual={"habitat": "snow"})
        assert twin.habitat == "snow"
        assert np.array_equal(shows(original, *PARTS), shows(twin, *PARTS))
        # Borders differ in their fringe alone: tufts of grass, smooth snow.
        assert (shows(original, *lying) != shows(twin, *lying)).mean() < 0.03


def test_the_differing_attribute_covers_at_least_four_patches(birds):
    worn = [bird for bird in SPECIES.values() if bird.attributes[bird.attribute] != "none"]
    for bird in worn:
        parts = ATTRIBUTE_PARTS[bird.attribute]
        covered = [patches(shows(picture, *parts)) for picture in birds[bird.name]]
        assert 4 <= np.mean(covered) <= 12, (bird.name, covered)
        assert min(covered) >= 3, (bird.name, covered)


def test_birds_vary_in_place_scale_and_direction(birds):
    bodies = [shows(picture, *PARTS) for picture in birds["blue jay"]]
    rows, columns = zip(*(np.nonzero(body) for body in bodies), strict=True)
    areas = [len(row) for row in rows]
    heads = [np.nonzero(shows(picture, "face"))[1].mean() for picture in birds["blue jay"]]
    assert max(areas) > 1.3 * min(areas)
    assert np.ptp([column.mean() for column in columns]) > 8
    assert min(heads) < IMAGE_SIZE / 2 < max(heads)


def test_the_mask_of_a_part_shows_the_colour_of_its_attribute(birds):
    right = []
    for pictures in birds.values():
        for picture in pictures:
            for attribute in ("wing", "breast", "head"):
                part = shows(picture, *ATTRIBUTE_PARTS[attribute])
                found = nearest_word(np.median(picture.image[part], axis=0))
                right.append(found == picture.attributes[attribute])
    assert np.mean(right) > 0.98


def test_bands_and_bars_are_in_the_mask_only_where_they_are_worn(birds):
    for name, pictures in birds.items():
        for part in ("band", "bars"):
            worn = SPECIES[name].attributes[part] != "none"
            assert all(shows(picture, part).any() == worn for picture in pictures)


def test_colours_and_patterns_alone_tell_the_species_apart(birds):
    def look(picture: Picture) -> np.ndarray:
        pixels = [picture.image[shows(picture, *parts)] for parts in (
            ("wing", "bars"), ("breast", "band"), ("crown", "face"))]  # fmt: skip
        return np.concatenate([np.append(p.mean(axis=0), p.std(axis=0)) for p in pixels])

    looks = {name: np.array([look(p) for p in pictures]) for name, pictures in birds.items()}
    centres = {name: rows[:6].mean(axis=0) for name, rows in looks.items()}
    right = [
        min(centres, key=lambda other: float(np.linalg.norm(row - centres[other]))) == name
        for name, rows in looks.items()
        for row in rows[6:]
    ]
    assert np.mean(right) > 0.95


def test_grounds_have_looks_of_their_own():
    looks: dict[str, list[np.ndarray]] = {ground: [] for ground in GROUNDS}
    for index in range(160):
        picture = render(36, index, kind="landscape")
        pixels = picture.image[shows(picture, str(picture.habitat))]
        looks[str(picture.habitat)].append(np.append(pixels.mean(axis=0), pixels.std(axis=0)))
    centres = {ground: np.mean(rows[::2], axis=0) for ground, rows in looks.items()}
    right = [
        min(centres, key=lambda other: float(np.linalg.norm(row - centres[other]))) == ground
        for ground, rows in looks.items()
        for row in rows[1::2]
    ]
    assert np.mean(right) > 0.9


def test_a_concepts_symbols_share_no_colours():
    """A colour classifier learnt on three symbols of each concept is lost on the fourth."""
    looks, concepts, symbols = [], [], []
    for index in range(280):
        picture = render(37, index, kind="postcard")
        coarse = picture.image.astype(int) // 64
        bins = coarse[..., 0] * 16 + coarse[..., 1] * 4 + coarse[..., 2]
        looks.append(np.sqrt(np.bincount(bins.ravel(), minlength=64) / bins.size))
        concepts.append(picture.concept)
        symbols.append(CONCEPTS[str(picture.concept)].index(str(picture.symbol)))
    rows, named, number = np.array(looks), np.array(concepts), np.array(symbols)
    right = []
    for held_out in range(4):
        seen = number != held_out
        for row, concept in zip(rows[~seen], named[~seen], strict=True):
            nearest = np.argsort(np.linalg.norm(rows[seen] - row, axis=1))[:5]
            right.append(Counter(named[seen][nearest]).most_common(1)[0][0] == concept)
    assert np.mean(right) < 0.4  # chance: 0.2


def test_there_are_five_concepts_of_four_symbols_in_three_styles():
    assert len(CONCEPTS) >= 5
    assert all(len(symbols) >= 4 for symbols in CONCEPTS.values())
    drawn = {(p.symbol, p.style) for p in (render(38, i, concept="japan") for i in range(90))}
    assert len(drawn) == len(CONCEPTS["japan"]) * len(STYLES)


@pytest.mark.parametrize(
    ("seed", "index", "kind", "mean", "deviation"),
    [
        (1, 0, "bird", (145.1, 173.0, 181.0), (70.4, 68.7, 87.8)),
        (2, 7, "bird", (90.4, 122.5, 118.8), (74.2, 72.8, 87.6)),
        (1, 1, "landscape", (152.9, 202.7, 209.6), (59.8, 49.7, 67.4)),
        (1, 2, "postcard", (141.2, 157.9, 140.7), (86.1, 73.7, 68.7)),
        (1, 5, "postcard", (123.4, 90.4, 68.8), (71.9, 61.7, 55.6)),
        (1, 7, "postcard", (218.9, 212.2, 196.5), (38.8, 37.3, 32.6)),
    ],
)
def test_pictures_still_look_as_when_the_built_in_backbones_learnt_them(
    seed, index, kind, mean, deviation
):
    pixels = render(seed, index, kind=kind).image.reshape(-1, 3)
    # Half a level of 255: other versions of NumPy and Pillow may round some pixels otherwise.
    np.testing.assert_allclose(pixels.mean(axis=0), mean, atol=0.5)
    np.testing.assert_allclose(pixels.std(axis=0), deviation, atol=0.5)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"kind": "fish"}, "landscape"),
        ({"species": "bluejay"}, "blue jay"),
        ({"concept": "brasil"}, "brazil"),
        ({"counterfactual": {"beak": "red"}}, "breast"),
        ({"counterfactual": {"wing": "gray"}}, "grey"),
        ({"counterfactual": {"habitat": "lava"}}, "sand"),
        ({"species": "blue jay", "concept": "egypt"}, "leave one"),
        ({"kind": "postcard", "species": "blue jay"}, "leave one"),
        ({"kind": "landscape", "counterfactual": {"wing": "grey"}}, "leave one"),
        ({"kind": "postcard", "counterfactual": {"habitat": "sand"}}, "kind bird"),
    ],
)
def test_what_the_world_does_not_have_is_refused_with_what_it_has(wish, named):
    with pytest.raises(SaecliError, match=named):
        render(1, 1, **wish)


def test_negative_numbers_name_no_picture():
    with pytest.raises(SaecliError, match="from 0 up"):
        render(-1, 0)
