"""Batches: order, one read a file, broken pictures, bounded work ahead, stopping."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from saecli.errors import SaecliError
from saecli.images.loading import Skipped, load_batches
from saecli.images.sources import open_source


def to_pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.resize((2, 2)), dtype=np.float32)).permute(2, 0, 1)


def no_skips(skipped: Skipped) -> None:
    pytest.fail(f"unexpectedly skipped {skipped}")


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures of grey level 0, 10, …, 90, 7 pixels wide and 5 high."""
    for i in range(10):
        Image.new("RGB", (7, 5), (10 * i,) * 3).save(tmp_path / f"{i}.png")
    return tmp_path


def loader_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("saecli-images")]


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_keep_the_order_of_the_files(pictures, workers):
    files = open_source(pictures).files[::-1]
    batches = list(load_batches(files, to_pixels, batch_size=4, workers=workers, on_skip=no_skips))
    assert [batch.indices for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    levels = torch.cat([batch.pixels for batch in batches])[:, 0, 0, 0]
    assert levels.tolist() == [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]
    assert batches[0].pixels.shape == (4, 3, 2, 2)
    assert not loader_threads()


def test_infos_tell_hash_size_and_thumbnail(pictures):
    files = open_source(pictures).files[:2]
    (batch,) = load_batches(files, to_pixels, on_skip=no_skips)
    data = files[1].path.read_bytes()
    assert batch.infos[1].sha256 == hashlib.sha256(data).hexdigest()
    assert (batch.infos[1].width, batch.infos[1].height) == (7, 5)
    assert batch.infos[1].thumbnail.startswith(b"\xff\xd8")
    (bare,) = load_batches(files, to_pixels, thumbnails=False, on_skip=no_skips)
    assert bare.infos[1].thumbnail == b""


def test_size_is_that_after_rotation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (7, 5)).save(tmp_path / "a.jpg", exif=exif)
    (batch,) = load_batches(open_source(tmp_path).files, to_pixels, on_skip=no_skips)
    assert (batch.infos[0].width, batch.infos[0].height) == (5, 7)


def test_each_file_is_read_once(pictures):
    opened = []
    sys.addaudithook(
        lambda event, args: (
            opened.append(os.fspath(args[0]))
            if event == "open" and isinstance(args[0], str | os.PathLike)
            else None
        )
    )
    files = open_source(pictures).files
    list(load_batches(files, to_pixels, workers=2, on_skip=no_skips))
    for file in files:
        assert opened.count(str(file.path)) == 1


def test_broken_pictures_are_reported_and_left_out(pictures):
    (pictures / "3.png").write_bytes(b"")
    (pictures / "7.png").write_text("nothing")
    skipped: list[Skipped] = []
    batches = list(
        load_batches(open_source(pictures).files, to_pixels, batch_size=4, on_skip=skipped.append)
    )
    assert [batch.indices for batch in batches] == [[0, 1, 2, 4], [5, 6, 8, 9]]
    assert [s.name for s in skipped] == ["3.png", "7.png"]
    assert "empty" in skipped[0].reason


def test_no_batch_holds_files_of_two_runs(pictures):
    (pictures / "4.png").write_bytes(b"")
    batches = list(
        load_batches(
            open_source(pictures).files, to_pixels, batch_size=3, run=5, on_skip=lambda one: None
        )
    )
    assert [batch.indices for batch in batches] == [[0, 1, 2], [3], [5, 6, 7], [8, 9]]


def test_a_picture_that_the_backbone_refuses_is_skipped(pictures):
    def picky(image):
        if image.getpixel((0, 0)) == (0, 0, 0):
            raise SaecliError("too dark", "light it")
        return to_pixels(image)

    skipped: list[Skipped] = []
    (batch,) = load_batches(open_source(pictures).files, picky, on_skip=skipped.append)
    assert batch.indices == list(range(1, 10))
    assert skipped == [Skipped("0.png", "too dark")]


def test_only_broken_pictures_give_no_batch(tmp_path):
    (tmp_path / "a.png").touch()
    skipped: list[Skipped] = []
    assert not list(load_batches(open_source(tmp_path).files, to_pixels, on_skip=skipped.append))
    assert len(skipped) == 1


def test_other_failures_reach_the_caller(pictures):
    def wrong(image):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(load_batches(open_source(pictures).files, wrong, on_skip=no_skips))
    assert not loader_threads()


def test_work_ahead_is_bounded(pictures):
    started = []

    def counting(image):
        started.append(1)
        return to_pixels(image)

    batches = load_batches(
        open_source(pictures).files, counting, batch_size=2, workers=1, on_skip=no_skips
    )
    next(batches)
    time.sleep(0.2)
    assert len(started) <= 2 + 3  # the batch taken, and one batch and one picture ahead
    batches.close()


def test_closing_early_stops_the_threads(pictures):
    batches = load_batches(open_source(pictures).files, to_pixels, batch_size=1, on_skip=no_skips)
    next(batches)
    assert loader_threads()
    batches.close()
    assert not loader_threads()


def test_an_interrupt_ends_the_program(pictures):
    program = f"""
import time, torch
from saecli.images.loading import load_batches
from saecli.images.sources import open_source

def slow(image):
    time.sleep(0.05)
    return torch.zeros(3, 2, 2)

files = open_source({str(pictures)!r}).files * 1000
for batch in load_batches(files, slow, batch_size=4, workers=2, on_skip=print):
    print("batch", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout.readline() == "batch\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
