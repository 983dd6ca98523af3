import numpy as np
import pytest

from saecli.catalog import images
from saecli.catalog.images import (
    Picture,
    add_image,
    find_image,
    find_image_set,
    get_image,
    get_image_set,
    image_ids,
    image_sets,
    members,
    record_image_set,
    skipped,
    thumbnails,
)
from saecli.errors import SaecliError
from tests.catalog.content import N_IMAGES, pictures


def record(catalog, invocation, chosen, name="photos"):
    return record_image_set(catalog, invocation, name=name, root="/pictures", pictures=chosen)


def test_a_set_keeps_its_pictures_in_order_with_class_and_thumbnail(session, content):
    found = get_image_set(session, "photos")
    assert (found.n_images, found.n_skipped, found.root) == (N_IMAGES, 1, "/pictures")
    assert skipped(session, found) == [("broken.jpg", "truncated")]
    ids = image_ids(session, found)
    assert (ids.dtype, len(ids)) == (np.int64, N_IMAGES)
    for member, picture in zip(members(session, found), pictures(N_IMAGES), strict=True):
        assert (member.name, member.path, member.label) == (
            picture.name,
            picture.path,
            picture.label,
        )
        assert member.image_id == ids[member.position]
        image = get_image(session, member.image_id)
        assert (image.sha256, image.width, image.height) == (picture.sha256, picture.width, 30)
    assert thumbnails(session, ids.tolist())[ids[7]] == b"thumbnail 7"


def test_the_same_pictures_under_the_same_name_are_one_set(catalog, content):
    again = record(catalog, content.invocation, pictures(N_IMAGES))
    assert again == content.photos
    other_name = record(catalog, content.invocation, pictures(N_IMAGES), "pictures")
    assert other_name.id != again.id
    assert other_name.digest == again.digest


def test_other_pictures_under_the_same_name_are_another_set(catalog, content):
    newer = record(catalog, content.invocation, pictures(5))
    assert newer.digest != content.photos.digest
    with catalog.reading() as session:
        assert find_image_set(session, "photos") == newer
        assert image_sets(session) == [newer]
        assert len(image_ids(session, content.photos)) == N_IMAGES


def test_a_picture_is_known_by_its_bytes_wherever_it_lies(catalog, content):
    moved = Picture("x.jpg", "/elsewhere/x.jpg", f"{3:064x}", 43, 30)
    with catalog.writing() as session:
        image_id = add_image(session, content.invocation, moved)
    with catalog.reading() as session:
        assert image_id == image_ids(session, content.photos)[3]
        assert find_image(session, f"{3:064x}").path == "/elsewhere/x.jpg"
        assert thumbnails(session, [image_id]) == {image_id: b"thumbnail 3"}
        assert find_image(session, "f" * 64) is None


def test_the_same_picture_twice_in_a_set_keeps_both_places(catalog, content):
    twice = [pictures(1)[0], Picture("copy.jpg", "/pictures/copy.jpg", f"{0:064x}", 40, 30)]
    found = record(catalog, content.invocation, twice, "twice")
    with catalog.reading() as session:
        ids = image_ids(session, found)
        assert ids[0] == ids[1]
        assert [member.name for member in members(session, found)] == ["000.jpg", "copy.jpg"]


def test_a_set_is_invisible_until_all_its_pictures_are_written(catalog, content, monkeypatch):
    monkeypatch.setattr(images, "BATCH", 2)
    chosen = pictures(6)
    chosen[5] = Picture("bad.jpg", "/pictures/bad.jpg", "a" * 64, 0, 30)  # refused by the table
    with pytest.raises(Exception, match="size_positive"):
        record(catalog, content.invocation, chosen, "new")
    with catalog.reading() as session:
        assert find_image_set(session, "new") is None
    assert record(catalog, content.invocation, chosen[:5], "new").n_images == 5


def test_unknown_names_and_numbers_are_sentences(session):
    with pytest.raises(SaecliError, match=r"no image set 'x' .*, which has photos; name one"):
        get_image_set(session, "x")
    with pytest.raises(SaecliError, match="no picture 999"):
        get_image(session, 999)
