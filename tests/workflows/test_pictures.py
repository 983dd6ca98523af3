"""The pictures that `--images` names: each once, a part found again by its name."""

import shutil

import pytest

from saecli.progress import SILENT
from saecli.workflows.pictures import open_pictures
from tests.heard import Heard


@pytest.fixture
def folder(pictures, tmp_path):
    place = tmp_path / "set"
    place.mkdir()
    for number in range(6):
        shutil.copy(pictures / f"{number:06}.png", place)
    return place


def names(source):
    return [file.name for file in source.files]


def test_copies_are_left_out_and_said_to_be(folder):
    whole = names(open_pictures(str(folder), SILENT))
    assert len(whole) == 6
    shutil.copy(folder / "000001.png", folder / "copy of 1.png")
    (folder / "empty.png").touch()
    (folder / "empty too.png").touch()
    heard = Heard()
    found = open_pictures(str(folder), heard)
    assert names(found) == [*whole, "empty too.png", "empty.png"]
    assert len(heard.said) == 1
    assert "1 copies" in heard.said[0]


def test_a_picture_of_two_classes_stays_in_both(folder):
    for label in ("a", "b"):
        (folder / label).mkdir()
        shutil.copy(folder / "000001.png", folder / label / "x.png")
    for number in range(6):
        (folder / f"{number:06}.png").unlink()
    found = open_pictures(str(folder), SILENT)
    assert [file.label for file in found.files] == ["a", "b"]


def test_a_part_is_found_again_by_its_name(folder):
    part = open_pictures(str(folder), SILENT, n_images=3)
    assert names(part) == ["000000.png", "000002.png", "000004.png"]
    again = open_pictures(part.spec, SILENT)
    assert (again.spec, names(again)) == (part.spec, names(part))
