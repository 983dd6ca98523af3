"""What is damaged in a store or in the cache is found, byte by byte, and told."""

import shutil

import pytest

from saecli.activations.recording import record_patches
from saecli.activations.settings import CacheSettings
from saecli.activations.verifying import verify_cache, verify_store
from saecli.errors import SaecliError
from tests.activations.test_stored import files_of, record


@pytest.fixture(scope="module")
def whole(tiny, folder, tmp_path_factory):
    store = tmp_path_factory.mktemp("whole") / "store"
    record(tiny, folder, store)
    return store


@pytest.fixture
def store(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "store")


def test_a_whole_store_has_no_problem(store):
    found = verify_store(store)
    assert (found.problems, found.notes) == ([], [])
    assert found.n_files == len(files_of(store)) - 1
    assert (
        found.size
        == sum(map(len, files_of(store).values())) - (store / "manifest.json").stat().st_size
    )


def test_a_flipped_bit_anywhere_in_any_file_is_found(store):
    for name, data in files_of(store).items():
        path = store / name
        for place in (9, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            found = verify_store(store)
            assert found.problems, (name, place)
            path.write_bytes(data)
    assert not verify_store(store).problems


def test_a_missing_or_shortened_file_is_named(store):
    (store / "layer-0" / "00001.safetensors").unlink()
    path = store / "pictures" / "00002.jpegs"
    path.write_bytes(path.read_bytes()[:-1])
    problems = verify_store(store).problems
    assert len(problems) == 2
    assert "layer-0/00001.safetensors' can't be read" in problems[0]
    assert "00002.jpegs' is" in problems[1]


def test_shards_that_changed_places_are_found(store):
    for name in ("layer-0", "pictures"):
        for path in (store / name).glob("00000.*"):
            other = path.with_name(path.name.replace("00000", "00002"))
            first, second = path.read_bytes(), other.read_bytes()
            path.write_bytes(second)
            other.write_bytes(first)
    assert verify_store(store).problems


def test_an_unfinished_store_is_no_damage(tiny, folder, tmp_path):
    record(tiny, folder, tmp_path / "store", numbers=[0, 2])
    (tmp_path / "store" / "layer-0" / ".00001.safetensors.ab12").write_bytes(b"half")
    found = verify_store(tmp_path / "store")
    assert not found.problems
    assert found.notes[0].startswith("unfinished: 2 of 4 shards")
    assert "may be deleted" in found.notes[1]


def test_a_folder_of_something_else_is_said(tmp_path):
    with pytest.raises(SaecliError, match="no activation store"):
        verify_store(tmp_path)


def test_damage_in_the_cache_is_found(tiny, files, tmp_path):
    for layer in (0, 1):
        record_patches(tiny, files, layer, cache=CacheSettings(tmp_path))
    assert (verify_cache(tmp_path).problems, verify_cache(tmp_path).n_files) == ([], 2)
    path = sorted(tmp_path.iterdir())[0]
    data = path.read_bytes()
    path.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    (problem,) = verify_cache(tmp_path).problems
    assert path.name in problem
