"""Which part of a picture the backbone sees, against pictures that tell where their pixels are."""

import numpy as np
import pytest
from PIL import Image

from saecli.backbones.geometry import Geometry
from saecli.backbones.transforms import ImageTransform
from saecli.errors import SaecliError
from saecli.grid import Grid

SHORTEST = Geometry("shortest", (32, 32), (32, 32), (8, 8), "down", "nearest")
CROPPED = Geometry("shortest", (36, 36), (32, 32), (8, 8), "down", "down")
OBLONG = Geometry("shortest", (32, 48), (32, 48), (8, 8), "nearest", "nearest")
LONGEST = Geometry("longest", (32, 32), (32, 32), (8, 8), "nearest", "nearest")
SQUASH = Geometry("squash", (32, 48), (32, 48), (8, 8), "down", "nearest")
RAGGED = Geometry("shortest", (40, 40), (37, 37), (8, 8), "down", "down")  # 37 is no multiple of 8
SMALL = Geometry("shortest", (24, 24), (32, 32), (8, 8), "down", "down")  # filled up
ALL = {
    "shortest": SHORTEST,
    "cropped": CROPPED,
    "oblong": OBLONG,
    "longest": LONGEST,
    "squash": SQUASH,
    "ragged": RAGGED,
    "small": SMALL,
}
SIZES = [(320, 320), (480, 320), (321, 640), (1000, 333), (40, 56), (31, 33)]


def seen_through(geometry: Geometry, image: Image.Image, interpolation: str, fill=0) -> np.ndarray:
    """The pixels 0-255 that a backbone with this geometry is given, as (3, H, W)."""
    transform = ImageTransform(geometry, interpolation, (0, 0, 0), (1, 1, 1), fill)
    return transform(image).numpy() * 255


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("geometry", ALL.values(), ids=ALL)
def test_the_view_is_where_the_pixels_come_from(geometry, size):
    # A picture whose red tells the place across and whose green the place down, in the middle
    # range so that a filled-up margin (0) is told apart.
    width, height = size
    across = 64 + 128 * (np.arange(width) + 0.5) / width
    down = 64 + 128 * (np.arange(height) + 0.5) / height
    levels = np.stack([*np.meshgrid(across, down), np.full((height, width), 255)], axis=-1)
    got = seen_through(geometry, Image.fromarray(levels.round().astype(np.uint8)), "bilinear")

    grid = geometry.grid
    view = geometry.view(width, height)
    for patch in range(grid.n_patches):
        row, column = grid.position(patch)
        pixels = got[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].reshape(3, -1)
        if (pixels[2] < 254).any():
            continue  # a patch on the margin has no place in the picture
        left, top, right, bottom = grid.box(patch, view)
        x = (pixels[0].mean() - 64) / 128 * width
        y = (pixels[1].mean() - 64) / 128 * height
        assert x == pytest.approx((left + right) / 2, abs=1.5 * width / 128)
        assert y == pytest.approx((top + bottom) / 2, abs=1.5 * height / 128)


@pytest.mark.parametrize(
    ("geometry", "size", "view"),
    [
        (SHORTEST, (320, 320), (0, 0, 320, 320)),
        (SHORTEST, (640, 320), (160, 0, 480, 320)),
        (SHORTEST, (320, 640), (0, 160, 320, 480)),
        (CROPPED, (360, 360), (20, 20, 340, 340)),
        (LONGEST, (640, 320), (0, -160, 640, 480)),
        (SQUASH, (100, 10), (0, 0, 100, 10)),
        (RAGGED, (400, 400), (10, 10, 330, 330)),
        (SMALL, (240, 240), (-40, -40, 280, 280)),
    ],
)
def test_views_worked_out_by_hand(geometry, size, view):
    assert geometry.view(*size) == pytest.approx(view)


def test_the_grid_counts_whole_patches():
    assert RAGGED.grid == Grid(4, 4)
    assert OBLONG.grid == Grid(4, 6)


def class_mask(size: tuple[int, int], n_classes: int) -> Image.Image:
    width, height = size
    coarse = np.random.default_rng(width).integers(0, n_classes, (7, 9), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("geometry", ALL.values(), ids=ALL)
def test_patch_shares_equal_preprocessing_a_picture_of_the_mask(geometry, size):
    mask = class_mask(size, 5)
    picture = seen_through(geometry, mask.convert("RGB"), "nearest", fill=255)[0].round()
    shares = geometry.patch_shares(mask, 5, geometry.grid)
    for patch in range(geometry.grid.n_patches):
        row, column = geometry.grid.position(patch)
        pixels = picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        expected = [(pixels == index).mean() for index in range(5)]
        np.testing.assert_allclose(shares[patch], expected, atol=1e-12)


def test_patch_shares_agree_with_the_picture_as_it_is_really_resized():
    mask = class_mask((640, 480), 2)
    picture = mask.point(lambda index: 255 * index).convert("RGB")
    white = seen_through(CROPPED, picture, "bicubic")[0].reshape(4, 8, 4, 8).mean(axis=(1, 3)) / 255
    shares = CROPPED.patch_shares(mask, 2, CROPPED.grid)
    # Bicubic edges are soft and nearest ones hard: half a pixel of 8 along an edge.
    np.testing.assert_allclose(shares[:, 1], white.ravel(), atol=0.07)


def test_pixels_of_no_class_count_for_none():
    mask = Image.new("L", (32, 32), 255)
    mask.paste(1, (0, 0, 16, 32))
    shares = SHORTEST.patch_shares(mask, 2, SHORTEST.grid)
    assert shares[0].tolist() == [0, 1]
    assert shares[3].tolist() == [0, 0]


def test_a_margin_counts_for_no_class():
    shares = LONGEST.patch_shares(Image.new("L", (640, 320), 0), 1, LONGEST.grid)
    assert shares.ravel().tolist() == [0] * 4 + [1] * 8 + [0] * 4


def test_shares_on_another_grid_cover_the_same_view():
    mask = class_mask((320, 240), 3)
    fine = SHORTEST.patch_shares(mask, 3, Grid(4, 4)).reshape(2, 2, 2, 2, 3)
    coarse = SHORTEST.patch_shares(mask, 3, Grid(2, 2))
    np.testing.assert_allclose(coarse, fine.mean(axis=(1, 3)).reshape(4, 3), atol=1e-12)


@pytest.mark.parametrize("mode", ["P", "1", "I;16", "I"])
def test_masks_may_have_any_single_channel(mode):
    mask = Image.new(mode, (32, 32), 1)
    assert SHORTEST.patch_shares(mask, 256, SHORTEST.grid).sum() == 16


def test_a_coloured_mask_is_refused():
    with pytest.raises(SaecliError, match="colour mode RGB"):
        SHORTEST.patch_shares(Image.new("RGB", (32, 32)), 2, SHORTEST.grid)


@pytest.mark.parametrize("geometry", [SHORTEST, LONGEST])
def test_a_picture_too_narrow_to_resize_is_refused(geometry):
    with pytest.raises(SaecliError, match="1 × 3000000 pixels is too narrow"):
        geometry.view(1, 3_000_000)
