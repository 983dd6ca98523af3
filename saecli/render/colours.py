"""The colours of saecli's pictures: one heat scale, and classes that stay apart."""

import numpy as np
from numpy.typing import NDArray

PAPER = (255, 255, 255)
INK = (31, 35, 40)
QUIET = (110, 119, 129)
RULE = (208, 215, 222)
CHOSEN = (0, 229, 255)
PEAK = (255, 255, 255)

BEFORE, AFTER = (84, 120, 173), (217, 119, 54)

# Ten even steps of inferno, the perceptually uniform scale by N. Smith and S. van der Walt (CC0).
_INFERNO = np.array(
    [
        (0, 0, 4),
        (27, 12, 65),
        (74, 12, 107),
        (120, 28, 109),
        (165, 44, 96),
        (207, 68, 70),
        (237, 105, 37),
        (251, 155, 6),
        (247, 209, 61),
        (252, 255, 164),
    ],
    dtype=np.float64,
)

# Twenty colours that differ in lightness too, after K. Kelly 1965, "Twenty-two colors of maximum
# contrast".
_CLASSES = (
    (243, 195, 0),
    (135, 86, 146),
    (243, 132, 0),
    (161, 202, 241),
    (190, 0, 50),
    (194, 178, 128),
    (132, 132, 130),
    (0, 136, 86),
    (230, 143, 172),
    (0, 103, 165),
    (249, 147, 121),
    (96, 78, 151),
    (246, 166, 0),
    (179, 68, 108),
    (220, 211, 0),
    (136, 45, 23),
    (141, 182, 0),
    (101, 69, 34),
    (226, 88, 34),
    (43, 61, 38),
)


def heat(share: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours of the heat scale.

    Args:
        share: any shape, 0 (nothing) to 1 (the scale's end); values beyond are clipped.

    Returns:
        The same shape with four more values at the end: RGBA. Nothing is clear, little is faint
        and dark red, much is yellow; the picture below always shines through.
    """
    value = np.clip(np.nan_to_num(np.asarray(share, dtype=np.float64)), 0.0, 1.0)
    at = (0.35 + 0.65 * value) * (len(_INFERNO) - 1)
    low = np.minimum(at.astype(np.int64), len(_INFERNO) - 2)
    rest = (at - low)[..., None]
    colour = _INFERNO[low] * (1 - rest) + _INFERNO[low + 1] * rest
    alpha = np.where(value > 0, 0.25 + 0.35 * value, 0.0) * 255
    return np.concatenate([colour, alpha[..., None]], axis=-1).round().astype(np.uint8)


def class_colour(index: int) -> tuple[int, int, int]:
    """The colour of a class; from the twenty-first on they come again, darker."""
    base = _CLASSES[index % len(_CLASSES)]
    dim = 0.65 ** (index // len(_CLASSES))
    return (round(base[0] * dim), round(base[1] * dim), round(base[2] * dim))
