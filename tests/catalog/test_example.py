import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from saecli.catalog import artifacts
from saecli.catalog.dictionaries import dictionary_names, get_dictionary
from saecli.catalog.example import make_example
from saecli.catalog.images import add_image
from saecli.catalog.labels import add_label, current_labels
from saecli.catalog.maintenance import check
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiling import store_profile
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import N_IMAGES, backbone_row, pictures, train


@pytest.fixture
def example(stocked, tmp_path, monkeypatch):
    """The shipped example as it would lie in a clone, in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("catalog.example.db")
    make_example(stocked[0], path)
    return path


def label(catalog, text):
    with catalog.begin("label", []) as invocation, catalog.writing() as session:
        add_label(session, invocation.id, parse_concept("clip:3"), text, author="me")


def labels_of(path):
    with open_catalog(path) as catalog, catalog.reading() as session:
        return current_labels(session, get_dictionary(session, "clip"))


def test_reading_the_example_leaves_it_as_it_is_and_makes_no_file(example):
    before = example.read_bytes()
    with open_catalog(example) as catalog, catalog.reading() as session:
        assert dictionary_names(session) == ["clip"]
        assert [path.name for path in Path().iterdir()] == ["catalog.example.db"]
    assert example.read_bytes() == before


def test_the_first_write_goes_to_a_copy_and_says_so(example):
    before, notes = example.read_bytes(), []
    with open_catalog(example, write=True, note=notes.append) as catalog:
        assert catalog.path == Path("catalog.db")
        label(catalog, "sand")
    assert example.read_bytes() == before
    assert labels_of("catalog.db") == {3: "sand"}
    assert labels_of(example) == {}
    assert notes == [
        "./catalog.example.db is the shipped example, which is never changed: copied it to "
        "./catalog.db, where this is stored and where you can go on"
    ]


def test_later_writes_go_to_the_same_copy(example):
    for text in ("sand", "water"):
        with open_catalog(example, write=True) as catalog:
            label(catalog, text)
    assert labels_of("catalog.db") == {3: "water"}


def test_somebody_who_goes_on_reading_the_example_is_told_of_the_copy(example):
    notes = []
    open_catalog(example, note=notes.append).close()
    assert notes == []
    open_catalog(example, write=True).close()
    open_catalog(example, note=notes.append).close()
    assert notes == ["reading the shipped example; what you added to it is in ./catalog.db"]


def test_the_copy_is_a_catalog_of_its_own(example):
    open_catalog(example, write=True).close()
    with (
        closing(sqlite3.connect(example)) as shipped,
        closing(sqlite3.connect("catalog.db")) as own,
    ):
        (shipped_id,) = shipped.execute("SELECT catalog_id FROM meta").fetchone()
        row = own.execute("SELECT catalog_id, copied_from, example FROM meta").fetchone()
    assert row[0] != shipped_id
    assert row[1:] == (shipped_id, 0)


def test_another_catalog_in_the_way_makes_the_user_choose(example, blank):
    shutil.copy(blank, "catalog.db")
    before = Path("catalog.db").read_bytes()
    with pytest.raises(SaecliError, match=r"is the shipped example, .*; choose one: --catalog"):
        open_catalog(example, write=True)
    assert Path("catalog.db").read_bytes() == before


def test_the_example_is_one_file_without_a_log(example):
    assert [path.name for path in Path().iterdir()] == ["catalog.example.db"]
    with closing(sqlite3.connect(example)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    with open_catalog(example) as catalog, catalog.reading() as session:
        assert check(session).ok


def test_a_catalog_with_files_beside_it_makes_no_example(catalog, content, monkeypatch):
    monkeypatch.setattr(artifacts, "INSIDE_BYTES", 1000)
    train(catalog, content.invocation, content.backbone, "large", os.urandom(2000))
    with pytest.raises(SaecliError, match=r"keeps 1 of its arrays in \./catalog\.files, so"):
        make_example(catalog.path, Path("example.db"))
    assert not any(path.name.startswith("example") for path in Path().iterdir())


def rows(path, query):
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute(query).fetchall()


def test_it_leaves_out_what_nobody_looks_at(catalog, content):
    with catalog.writing() as session:
        random = backbone_row(session, content.invocation, "e" * 64, untrained=True)
    twin = train(catalog, content.invocation, random, "twin", b"twin", untrained=True)
    store_profile(
        catalog,
        content.invocation,
        dictionary=twin,
        image_set=content.photos,
        arrays=content.arrays,
        settings={},
        seconds=1.0,
    )
    with catalog.writing() as session:
        for number in range(N_IMAGES, N_IMAGES + 3):  # tested on, and no exemplar
            add_image(session, content.invocation, pictures(number + 1)[-1])
    make_example(catalog.path, Path("example.db"))
    profiles = "SELECT DISTINCT name FROM exemplar JOIN profile ON profile.id = profile_id "
    assert rows("example.db", profiles + "JOIN dictionary ON dictionary.id = dictionary_id") == [
        ("clip",)
    ]
    shown = {image for (image,) in rows("example.db", "SELECT image_id FROM exemplar")}
    kept = {image for (image,) in rows("example.db", "SELECT image_id FROM thumbnail")}
    assert kept == shown
    assert len(rows("example.db", "SELECT id FROM image")) == N_IMAGES + 3
    with open_catalog("example.db") as example, example.reading() as session:
        assert check(session).ok


def test_thumbnails_are_encoded_anew(catalog):
    before = dict(rows(catalog.path, "SELECT image_id, data FROM thumbnail"))
    make_example(catalog.path, Path("example.db"), shrink=lambda data: b"small " + data[:2])
    after = rows("example.db", "SELECT image_id, data FROM thumbnail")
    assert after
    assert after == [(image, b"small " + before[image][:2]) for image, _ in after]


def test_pictures_below_the_folder_it_was_made_in_are_named_from_there(catalog, content):
    whole = Path("/pictures")
    assert rows(catalog.path, "SELECT root FROM image_set") == [(str(whole),)]
    before = rows(catalog.path, "SELECT path FROM image ORDER BY id")
    make_example(catalog.path, Path("example.db"), folder=whole)
    assert rows("example.db", "SELECT root FROM image_set") == [(".",)]
    after = rows("example.db", "SELECT path FROM image ORDER BY id")
    assert after == [(str(Path(path).relative_to(whole)),) for (path,) in before]
