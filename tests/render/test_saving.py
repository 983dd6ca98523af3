"""A picture's file is whole or it isn't there."""

import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.render.saving import check_picture_name, save_picture

PICTURE = Image.new("RGB", (20, 10), (10, 200, 30))


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.jpg", "[bold] a.webp", "é.jpeg"])
def test_the_ending_names_the_format(tmp_path, name):
    path = tmp_path / name
    save_picture(PICTURE, path)
    with Image.open(path) as found:
        assert found.size == (20, 10)
        assert found.format.lower()[:3] in path.suffix.lower().replace("jpg", "jpeg")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.gif", "a", "none/a.png", "a.db"])
def test_a_name_that_does_not_fit_is_refused_before_any_work(tmp_path, name):
    with pytest.raises(SaecliError) as refused:
        check_picture_name(tmp_path / name)
    assert refused.value.usage
    with pytest.raises(SaecliError):
        save_picture(PICTURE, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writing_leaves_the_old_picture_and_nothing_else(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    with pytest.raises(SaecliError, match="cannot write mode"):
        save_picture(PICTURE.convert("RGBA"), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
