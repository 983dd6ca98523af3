"""The file of a recording: found by its key, checked, bounded."""

import os

import numpy as np
import pytest
import torch
from safetensors import safe_open

from saecli.activations import store
from saecli.errors import SaecliError
from saecli.images.loading import ImageInfo, Skipped

KEY = store.key_of("digest", 3, ["a", "b"])
ACTIVATIONS = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0)).half()
IMAGES = [(i + (i > 2), ImageInfo(f"{i:064}", 30 + i, 20, bytes([i]) * i)) for i in range(5)]
SKIPPED = [Skipped("Ä [1].png", "is cut short")]


@pytest.fixture
def path(tmp_path):
    path = store.place_of(tmp_path, KEY)
    with store.writing(path, KEY, (4, 6), torch.float16) as writer:
        writer.append(ACTIVATIONS[:2])
        writer.append(ACTIVATIONS[2:])
        writer.finish(IMAGES, SKIPPED)
    return path


@pytest.mark.parametrize("in_ram", [True, False])
def test_what_was_written_is_read(path, in_ram):
    contents = store.read(path, KEY, in_ram=in_ram)
    assert torch.equal(contents.activations, ACTIVATIONS)
    assert (contents.images, contents.skipped) == (IMAGES, SKIPPED)


def test_any_safetensors_reader_opens_it(path):
    with safe_open(path, "np") as file:
        assert np.array_equal(file.get_tensor("activations"), ACTIVATIONS.numpy())
        assert file.metadata()["key"] == KEY


def test_changing_a_mapped_recording_leaves_the_file_alone(path):
    before = path.read_bytes()
    store.read(path, KEY, in_ram=False).activations.zero_()
    assert path.read_bytes() == before


@pytest.mark.parametrize("keep", [0, 7, 100, 4096, 4300, -1])
def test_a_cut_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SaecliError, match=r"is cut short|is damaged"):
        store.read(path, KEY, in_ram=True)


@pytest.mark.parametrize("at", [4096, 4200, -1])
def test_one_changed_byte_is_noticed(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(SaecliError, match="is damaged"):
        store.read(path, KEY, in_ram=False)


def test_another_recording_under_this_name_is_refused(path):
    with pytest.raises(SaecliError, match="holds other activations"):
        store.read(path, store.key_of("digest", 4, ["a", "b"]), in_ram=True)


def test_the_key_depends_on_everything_that_was_computed_from():
    keys = {
        store.key_of(*arguments)
        for arguments in [
            ("digest", 3, ["a", "b"]),
            ("other", 3, ["a", "b"]),
            ("digest", 2, ["a", "b"]),
            ("digest", 3, ["b", "a"]),
            ("digest", 3, ["a"]),
        ]
    }
    assert len(keys) == 5


def test_room_is_made_by_the_recordings_used_longest_ago(tmp_path):
    for name, age in (("old", 30), ("older", 40), ("new", 10)):
        path = tmp_path / f"{name}{store.SUFFIX}"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "else.bin").write_bytes(b"x" * 1000)
    store.make_room(tmp_path, needed=100, bound=400)
    assert len(list(tmp_path.iterdir())) == 4
    store.make_room(tmp_path, needed=200, bound=400)
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["else", "new", "old"]
    store.make_room(tmp_path, needed=400, bound=400)
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["else"]
