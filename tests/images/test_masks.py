"""Masks are read as the indices they hold, and anything else is refused."""

import numpy as np
import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.images.masks import read_mask


@pytest.mark.parametrize("mode", ["L", "P"])
def test_indices_come_back_whatever_the_palette(tmp_path, mode):
    indices = np.array([[0, 1], [2, 3]], dtype=np.uint8)
    image = Image.fromarray(indices, mode="L")
    if mode == "P":
        image = Image.fromarray(indices, mode="P")
        image.putpalette([9, 9, 9] * 4)
    image.save(tmp_path / "m.png")
    assert np.array_equal(np.asarray(read_mask(tmp_path / "m.png", 4)), indices)


def test_a_class_beyond_the_list_is_refused(tmp_path):
    Image.new("L", (2, 2), 4).save(tmp_path / "m.png")
    with pytest.raises(SaecliError, match=r"has class 4 and classes.txt names 4"):
        read_mask(tmp_path / "m.png", 4)


def test_a_colour_picture_is_no_mask(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "m.png")
    with pytest.raises(SaecliError, match="RGB picture, not class indices"):
        read_mask(tmp_path / "m.png", 4)


def test_a_broken_mask_is_named(tmp_path):
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(SaecliError, match=r"m\.png' can't be read"):
        read_mask(tmp_path / "m.png", 4)
