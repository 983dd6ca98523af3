"""Heat maps of a report: a square for each patch that fires, at its place."""

import re

import numpy as np
import pytest

from saecli.grid import Grid
from saecli.render import colours
from saecli.render.report.tiles import address, heat_svg

GRID = Grid(3, 4)


def test_each_patch_that_fires_has_a_square_and_a_hole_in_the_veil():
    values = np.zeros(12)
    values[[1, 6, 11]] = 1.0, 2.0, 4.0
    drawing = str(heat_svg(values, GRID, 4.0, 11))
    squares = re.findall(r'<path d="M(\d) (\d)h1v1h-1z" fill="(#\w+)" opacity="([\d.]+)"', drawing)
    assert [(int(y) * 4 + int(x)) for x, y, _, _ in squares] == [1, 6, 11]
    for (_, _, fill, opacity), share in zip(squares, (0.25, 0.5, 1.0), strict=True):
        red, green, blue, alpha = colours.heat(np.array([share]))[0].tolist()
        assert fill == f"#{red:02x}{green:02x}{blue:02x}"
        assert float(opacity) == pytest.approx(alpha / 255, abs=0.005)
    veil = re.search(r'class="veil" fill-rule="evenodd" d="([^"]+)"', drawing)[1]
    assert veil.count("h1v1h-1z") == 3
    assert 'class="peak" d="M3 2h' in drawing


def test_a_silent_map_is_all_veil():
    assert "fill=" not in str(heat_svg(np.zeros(12), GRID, 1.0, None)).replace("fill-rule=", "")


def test_an_address_names_the_kind_of_the_bytes():
    assert address(b"\xff\xd8abc").startswith("data:image/jpeg;base64,")
    assert address(b"RIFFabc").startswith("data:image/webp;base64,")
