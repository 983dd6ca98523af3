"""Masks are read as the indices they hold, and anything else is refused."""

import numpy as np
import pytest
from PIL import Image

from saecli.errors import SaecliError
from saecli.images.masks import check_masks, check_not_shared, mask_of, read_mask
from saecli.images.sources import ImageFile


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


def picture_and_mask(folder, picture, mask, orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", picture).save(folder / "a.jpg", exif=exif)
    (folder / "masks").mkdir()
    Image.new("L", mask, 1).save(folder / "masks" / "a.png")
    return folder / "masks", ImageFile(folder / "a.jpg", "a.jpg", None)


@pytest.mark.parametrize("mask", [(60, 40), (30, 20), (120, 80), (31, 21)])
def test_a_mask_of_the_picture_s_shape_is_taken_at_any_size(tmp_path, mask):
    assert mask_of(*picture_and_mask(tmp_path, (60, 40), mask), 2).size == mask


@pytest.mark.parametrize("mask", [(40, 60), (40, 40), (60, 44)])
def test_a_mask_of_another_shape_would_lie_elsewhere_and_is_refused(tmp_path, mask):
    with pytest.raises(SaecliError, match="60 × 40, another shape"):
        mask_of(*picture_and_mask(tmp_path, (60, 40), mask), 2)


def test_the_shape_is_that_of_the_upright_picture(tmp_path):
    folder, picture = picture_and_mask(tmp_path, (60, 40), (40, 60), orientation=6)
    assert mask_of(folder, picture, 2).size == (40, 60)
    Image.new("L", (60, 40), 1).save(folder / "a.png")
    with pytest.raises(SaecliError, match="40 × 60, another shape"):
        mask_of(folder, picture, 2)


def files_below(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)
    return [ImageFile(folder / name, name, None) for name in names]


def test_pictures_of_one_stem_in_two_folders_may_not_share_a_mask(tmp_path):
    pictures = files_below(tmp_path / "pictures", "a/x.jpg", "b/x.jpg", "b/y.jpg")
    masks = tmp_path / "masks"
    files_below(masks, "x.png", "y.png")
    with pytest.raises(SaecliError, match=r"'a/x\.jpg' and 'b/x\.jpg' share the mask .*x\.png'"):
        check_masks(masks, pictures)
    files_below(masks, "b/x.png")  # one of its own
    check_masks(masks, pictures)
    (masks / "y.png").unlink()
    check_not_shared(masks, pictures)
    with pytest.raises(SaecliError, match=r"'b/y\.jpg' has no mask"):
        check_masks(masks, pictures)


def test_a_picture_in_two_formats_shares_its_mask_and_is_refused(tmp_path):
    pictures = files_below(tmp_path / "pictures", "x.jpg", "x.png")
    files_below(tmp_path / "masks", "x.png")
    with pytest.raises(SaecliError, match=r"'x\.jpg' and 'x\.png' share"):
        check_not_shared(tmp_path / "masks", pictures)
