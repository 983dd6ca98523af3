"""Recording: the backbone's own activations, computed once, kept within bounds."""

import errno
import os
import shutil

import pytest
import torch

from saecli.activations import store
from saecli.activations.recording import record_patches, size_of
from saecli.activations.settings import CacheSettings
from saecli.errors import SaecliError
from saecli.images.sources import open_source
from saecli.progress import SILENT
from tests.activations.conftest import N_PICTURES, Watched

BYTES = N_PICTURES * 16 * 32 * 2


class Saying:
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, name, total, unit):
        return SILENT.task(name, total, unit)

    def say(self, message: str) -> None:
        self.said.append(message)


def activations(recorded) -> torch.Tensor:
    return torch.cat([batch for _, batch in recorded.batches(3)])


def assert_close_to_half(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=2**-10, atol=1e-4)


@pytest.mark.parametrize(
    ("ram", "in_file", "in_ram"), [(1 << 30, False, True), (1 << 30, True, True), (0, True, False)]
)
def test_recorded_equals_the_backbones_own(
    backbone, files, expected, tmp_path, ram, in_file, in_ram
):
    cache = CacheSettings(tmp_path if in_file else None, max_bytes_ram=ram)
    recorded = record_patches(backbone, files, 1, cache=cache, batch_size=4)
    assert recorded.in_ram == in_ram
    assert recorded.dtype == torch.float16
    assert (recorded.n_images, recorded.d_model, recorded.grid.n_patches) == (10, 32, 16)
    assert_close_to_half(activations(recorded), expected)
    assert backbone.n_images == 10


def test_batches_say_where_they_start_and_take_a_choice(backbone, files, expected):
    recorded = record_patches(backbone, files, 1)
    assert [(s, len(b)) for s, b in recorded.batches(4)] == [(0, 4), (4, 4), (8, 2)]
    chosen = torch.tensor([1, 8, 9])
    got = torch.cat([batch for _, batch in recorded.batches(2, chosen)])
    assert_close_to_half(got, expected[chosen])


def test_broken_pictures_are_skipped_and_listed(backbone, files):
    recorded = record_patches(backbone, files, 1)
    assert [one.name for one in recorded.skipped] == ["03.png"]
    assert [index for index, _ in recorded.images] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert [info.width for _, info in recorded.images][:4] == [50, 51, 52, 54]


def test_the_next_command_finds_it_and_runs_nothing(backbone, tiny, files, tmp_path):
    first = record_patches(backbone, files, 1, cache=CacheSettings(tmp_path))
    again = Watched(tiny)
    for ram in (1 << 30, 0):
        found = record_patches(again, files, 1, cache=CacheSettings(tmp_path, max_bytes_ram=ram))
        assert torch.equal(activations(found), activations(first))
        assert (found.images, found.skipped) == (first.images, first.skipped)
        assert all(info.thumbnail for _, info in found.images)
    assert again.n_images == 0


def test_pictures_that_moved_are_found_by_content(backbone, tiny, files, folder, tmp_path):
    record_patches(backbone, files, 1, cache=CacheSettings(tmp_path / "cache"))
    moved = shutil.copytree(folder, tmp_path / "moved")
    again = Watched(tiny)
    record_patches(again, open_source(moved).files, 1, cache=CacheSettings(tmp_path / "cache"))
    assert again.n_images == 0


def test_another_layer_or_another_picture_is_recorded_anew(backbone, files, tmp_path):
    cache = CacheSettings(tmp_path)
    one = record_patches(backbone, files, 1, cache=cache)
    other = record_patches(backbone, files, 0, cache=cache)
    fewer = record_patches(backbone, files[1:], 1, cache=cache)
    assert backbone.n_images == 10 + 10 + 9
    assert not torch.equal(activations(one), activations(other))
    assert torch.equal(activations(one)[1:], activations(fewer))


@pytest.mark.parametrize("keep", [10, 5000, -1])
def test_a_truncated_cache_is_recorded_again_and_said(backbone, files, expected, tmp_path, keep):
    cache, progress = CacheSettings(tmp_path), Saying()
    record_patches(backbone, files, 1, cache=cache)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    again = record_patches(backbone, files, 1, cache=cache, progress=progress)
    assert backbone.n_images == 20
    assert_close_to_half(activations(again), expected)
    assert len(progress.said) == 1
    assert "recording again" in progress.said[0]
    assert torch.equal(
        activations(record_patches(backbone, files, 1, cache=cache)), activations(again)
    )
    assert backbone.n_images == 20


def test_beyond_the_memory_bound_it_is_mapped_and_beyond_both_refused(backbone, files, tmp_path):
    assert size_of(backbone, N_PICTURES) == BYTES
    assert record_patches(
        backbone, files, 1, cache=CacheSettings(tmp_path, max_bytes_ram=BYTES)
    ).in_ram
    assert not record_patches(
        backbone, files, 0, cache=CacheSettings(tmp_path, max_bytes_ram=BYTES - 1)
    ).in_ram
    for cache in (
        CacheSettings(None, max_bytes_ram=BYTES - 1),
        CacheSettings(tmp_path, max_bytes_ram=BYTES - 1, max_bytes_file=BYTES - 1),
    ):
        with pytest.raises(SaecliError, match=r"GB and the cache holds .* raise --cache"):
            record_patches(backbone, files, 2, cache=cache)


def test_the_folder_keeps_within_its_bound(backbone, files, tmp_path):
    for layer in (0, 1):
        record_patches(backbone, files, layer, cache=CacheSettings(tmp_path))
    first, second = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.utime(first, (1, 1))
    bound = second.stat().st_size + BYTES + 1000
    record_patches(backbone, files, 2, cache=CacheSettings(tmp_path, max_bytes_file=bound))
    assert not first.exists()
    assert second.exists()


def test_activations_beyond_float16_are_kept_in_float32(tiny, files, expected, tmp_path):
    largest = float(expected.abs().max())
    outlier = Watched(tiny, scale=70_000 / largest)
    progress = Saying()
    for cache in (CacheSettings(None), CacheSettings(tmp_path)):
        recorded = record_patches(outlier, files, 1, cache=cache, batch_size=3, progress=progress)
        assert recorded.dtype == torch.float32
        assert recorded.n_images == 10
        torch.testing.assert_close(
            activations(recorded), expected * outlier.scale, rtol=1e-4, atol=1.0
        )
        assert len(recorded.skipped) == 1
    assert "exceed float16 (65504)" in progress.said[0]


def test_values_that_are_not_finite_stop_it(tiny, files, tmp_path):
    with pytest.raises(SaecliError, match=r"values that aren't finite, first for one of 00\.png"):
        record_patches(Watched(tiny, float("inf")), files, 1, cache=CacheSettings(tmp_path))
    assert not list(tmp_path.iterdir())


def test_no_readable_picture_is_said(backbone, files, tmp_path):
    with pytest.raises(SaecliError, match="none of the 1 pictures could be read"):
        record_patches(backbone, files[3:4], 1, cache=CacheSettings(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence_and_leaves_nothing(backbone, files, tmp_path, monkeypatch):
    append = store.Writer.append

    def full_after_two(self, batch):
        append(self, batch)
        if self._n_images >= 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.Writer, "append", full_after_two)
    with pytest.raises(SaecliError, match="the disk is full") as raised:
        record_patches(backbone, files, 1, cache=CacheSettings(tmp_path), batch_size=2)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing(tiny, files, tmp_path):
    class Interrupted(Watched):
        def record(self, pixels, layer):
            if self.n_images >= 4:
                raise KeyboardInterrupt
            return super().record(pixels, layer)

    with pytest.raises(KeyboardInterrupt):
        record_patches(Interrupted(tiny), files, 1, cache=CacheSettings(tmp_path), batch_size=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ram", [1 << 30, 0])
def test_shuffled_patches_are_the_recorded_ones(backbone, files, tmp_path, ram):
    recorded = record_patches(backbone, files, 1, cache=CacheSettings(tmp_path, max_bytes_ram=ram))
    images = torch.tensor([0, 4, 5, 9])
    drawn = recorded.shuffled(images, seed=0).draw(64)
    expected = activations(recorded)[images].flatten(0, 1)
    assert not torch.equal(drawn, expected)
    assert sorted(map(tuple, drawn.tolist())) == sorted(map(tuple, expected.tolist()))
