import pytest

from saecli.catalog.images import get_image, image_ids, record_image_set
from saecli.catalog.observations import (
    add_observation,
    add_selection,
    last_observation,
    selecting_images,
)
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import pictures


def observe(catalog, content, image_id, latents):
    with catalog.writing() as session:
        return add_observation(
            session,
            content.invocation,
            image_id=image_id,
            dictionary=content.clip,
            patches=(3, 4),
            latents=latents,
        )


def test_the_last_observation_comes_back_whole(catalog, content):
    with catalog.reading() as session:
        assert last_observation(session) is None
        ids = image_ids(session, content.photos)
    observe(catalog, content, int(ids[0]), [(1, 2.0)])
    number = observe(catalog, content, int(ids[5]), [(7, 2.5), (2, 1.25)])
    with catalog.reading() as session:
        found = last_observation(session)
    assert (found.number, found.image.id, found.image.path) == (number, ids[5], "/pictures/005.jpg")
    assert (found.dictionary, found.patches) == ("clip", (3, 4))
    assert found.latents == ((7, 2.5), (2, 1.25))


def test_an_observation_of_a_latent_that_does_not_exist_is_refused(catalog, content):
    with pytest.raises(SaecliError, match="no latent clip:99"):
        observe(catalog, content, 1, [(99, 1.0)])
    with catalog.reading() as session:
        assert last_observation(session) is None


def test_pictures_that_chose_a_latent_are_known(catalog, content):
    few = record_image_set(catalog, content.invocation, name="few", root="/", pictures=pictures(3))
    with catalog.writing() as session:
        ids = image_ids(session, content.photos).tolist()
        add_selection(
            session,
            content.invocation,
            kind="detect",
            dictionary=content.clip,
            image_set=few,
            class_name="sand",
            latents=[(7, {"f1": 0.9}), (8, {"f1": 0.5})],
        )
    observe(catalog, content, ids[20], [(7, 1.0), (9, 0.5)])
    with catalog.reading() as session:
        hashes = {i: get_image(session, i).sha256 for i in ids}
        first, looked_at = {hashes[i] for i in ids[:3]}, hashes[ids[20]]
        assert selecting_images(session, parse_concept("clip:7")) == {*first, looked_at}
        assert selecting_images(session, parse_concept("clip:8")) == first
        assert selecting_images(session, parse_concept("clip:8+9")) == {*first, looked_at}
        assert selecting_images(session, parse_concept("clip:1")) == set()
