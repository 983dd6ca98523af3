"""The heat scale rises evenly, and classes stay apart."""

import itertools

import numpy as np
from PIL import Image

from saecli.render.colours import class_colour, heat


def lightness(colours):
    """(N,) the L of CIE L*a*b* of (N, 3) sRGB colours."""
    rgb = np.asarray(colours) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_nothing_is_clear_and_more_is_never_fainter_or_darker():
    scale = heat(np.linspace(0, 1, 101)).astype(int)
    assert scale[0, 3] == 0
    assert (np.diff(scale[:, 3]) >= 0).all()
    assert scale[1, 3] > 50
    assert (np.diff(lightness(scale[:, :3])) > -0.2).all()


def test_equal_steps_look_about_equal():
    steps = np.diff(lightness(heat(np.linspace(0.01, 1, 11))[:, :3]))
    assert steps.min() > 0.4 * steps.max()


def test_values_beyond_the_scale_and_missing_ones_do_no_harm():
    colours = heat(np.array([-1.0, 2.0, np.nan, np.inf]))
    assert colours[0, 3] == colours[2, 3] == 0
    assert (colours[1] == heat(np.array([1.0]))[0]).all()


def test_classes_differ_visibly():
    colours = np.array([class_colour(i) for i in range(24)], dtype=np.uint8)
    lab = np.asarray(Image.fromarray(colours[None]).convert("RGB"), dtype=float)[0]
    nearest = min(np.abs(a - b).max() for a, b in itertools.combinations(lab, 2))
    assert nearest >= 15
    assert len({class_colour(i) for i in range(60)}) == 60
