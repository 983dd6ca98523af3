"""What is drawn over a picture lies where the grid says."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.render import colours
from saecli.render.lettering import font
from saecli.render.patches import (
    add_heat,
    crop_to_view,
    number_size,
    numbered_grid,
    outline,
)


def plain(width, height, colour=(130, 130, 130)):
    return Image.new("RGB", (width, height), colour)


def differs(a, b):
    """(H, W) bool: where two pictures differ."""
    return (np.asarray(a) != np.asarray(b)).any(axis=-1)


def test_the_view_is_what_is_cropped():
    pixels = np.zeros((40, 100, 3), dtype=np.uint8)
    pixels[:, 30:70] = (200, 0, 0)
    seen = crop_to_view(Image.fromarray(pixels), (30, 0, 70, 40), (16, 16))
    assert seen.size == (16, 16)
    inner = np.asarray(seen).astype(int)[:, 2:-2]  # the filter reaches beyond the box, and rings
    assert np.abs(inner - (200, 0, 0)).max() <= 8


def test_a_view_that_rounding_put_beyond_the_picture_is_kept_inside():
    assert crop_to_view(plain(100, 40), (29.6, -0.4, 70.4, 40.4), (8, 8)).size == (8, 8)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_pictures_of_any_mode_can_be_drawn_on(mode):
    sheet = numbered_grid(plain(60, 40).convert(mode), (10, 0, 50, 40), Grid(4, 4), [3])
    assert sheet.mode == "RGB"


def test_heat_colours_only_the_patches_that_fire():
    grid = Grid(4, 5)
    picture = plain(100, 80)
    values = np.zeros(20)
    values[[7, 13]] = (2.0, 1.0)
    heated = add_heat(picture, grid, values, 2.0)
    changed = differs(heated, picture)  # grey stays grey, so only the heat can change it
    for patch in range(20):
        left, top, right, bottom = map(int, grid.box(patch, (0, 0, 100, 80)))
        assert changed[top:bottom, left:right].all() == (patch in (7, 13))


def test_what_does_not_fire_loses_colour_and_keeps_its_light():
    picture = plain(40, 40, (220, 40, 40))
    heated = np.asarray(add_heat(picture, Grid(2, 2), [1.0, 0, 0, 0], 1.0)).astype(int)
    silent = heated[30, 30]
    assert np.ptp(silent) < 60 < np.ptp([220, 40, 40])
    red, green, blue = silent
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    assert light == pytest.approx(picture.convert("L").getpixel((0, 0)), abs=2)


def test_nothing_at_all_fires_without_a_division_by_zero():
    heated = add_heat(plain(40, 40), Grid(2, 2), np.zeros(4), 0.0)
    assert not differs(heated, plain(40, 40)).any()


def test_a_map_of_another_grid_is_refused():
    with pytest.raises(SaecliError, match="one value per patch"):
        add_heat(plain(40, 40), Grid(2, 2), np.zeros(5), 1.0)


def test_an_outline_runs_once_around_patches_that_touch():
    grid, view = Grid(4, 4), (0, 0, 80, 80)
    picture = plain(80, 80)
    outline(ImageDraw.Draw(picture), grid, view, [5, 6, 9], colours.CHOSEN, 2)
    line = (np.asarray(picture) == colours.CHOSEN).all(axis=-1)
    assert line[20, 20:60].all()  # above 5 and 6
    assert line[20:60, 20].all()  # left of 5 and 9
    assert not line[25:38, 40].any()  # not between 5 and 6
    assert not line[40, 25:38].any()  # not between 5 and 9
    assert line[40, 42:60].all()  # below 6, which 9 does not touch
    assert not line[65:].any()


def test_patches_at_the_border_are_outlined_on_every_side():
    grid = Grid(2, 2)
    picture = plain(40, 40)
    outline(ImageDraw.Draw(picture), grid, (0, 0, 40, 40), range(4), colours.CHOSEN, 4)
    line = (np.asarray(picture) == colours.CHOSEN).all(axis=-1)
    assert line[0].all()
    assert line[:, 0].all()
    assert not line[10:30, 10:30].any()


@pytest.mark.parametrize("side", [4, 14, 16, 24, 37])
def test_the_last_number_fits_its_patch_and_can_be_read(side):
    grid = Grid(side, side)
    sheet = numbered_grid(plain(400, 300), (50, 0, 350, 300), grid)
    cell = sheet.width * 300 / 400 / side
    size = number_size(grid, cell, cell)
    assert size >= 8.9
    assert font(size).getlength(str(side * side - 1)) < cell


def test_the_numbered_picture_shows_all_of_it_with_the_unseen_margin_faded():
    dark = plain(400, 300, (10, 10, 10))
    sheet = np.asarray(numbered_grid(dark, (50, 0, 350, 300), Grid(4, 4)))
    assert sheet.shape[1] / sheet.shape[0] == pytest.approx(400 / 300, abs=0.01)
    edge = sheet.shape[1] // 8
    assert sheet[5, edge - 10].min() > 150
    assert sheet[5, edge + 20].max() < 60


def test_a_grid_that_is_not_square_is_drawn_with_its_own_cells():
    sheet = numbered_grid(plain(200, 100), (0, 0, 200, 100), Grid(4, 8), [0], least=320)
    assert sheet.size == (320, 160)
    line = (np.asarray(sheet) == colours.CHOSEN).all(axis=-1)
    rows, columns = np.nonzero(line)
    assert rows.max() <= 43
    assert columns.max() <= 43
