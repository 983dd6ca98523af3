"""Files are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from saecli.errors import SaecliError
from saecli.files import write_whole


def write(path: Path, data: bytes, failure: BaseException | None = None) -> None:
    with write_whole(path) as file:
        file.write(data)
        if failure:
            raise failure


def test_a_file_appears_with_its_folder(tmp_path):
    write(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"


def test_others_may_read_it_as_any_new_file(tmp_path):
    write(tmp_path / "file", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("x")])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, failure):
    path = tmp_path / "file"
    write(path, b"old")
    with pytest.raises(type(failure)):
        write(path, b"new", failure)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: .*file could not be written; free some space"),
        (errno.EACCES, "file could not be written .Permission denied.; choose"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(tmp_path, number, words):
    with pytest.raises(SaecliError, match=words) as raised:
        write(tmp_path / "file", b"x", OSError(number, os.strerror(number)))
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SaecliError, match="could not be written"):
        write(tmp_path / "file" / "inner", b"x")
