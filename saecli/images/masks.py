"""Masks: PNGs whose pixels are class indices."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from saecli.errors import SaecliError

_INDEX_MODES = ("L", "P", "1", "I", "I;16")


def read_mask(path: Path, n_classes: int) -> Image.Image:
    """Read a mask of class indices, mode L.

    Raises:
        SaecliError: if it can't be read, its pixels are no indices (a colour picture), or one is
            beyond the classes.
    """
    try:
        with Image.open(path) as mask:
            mode, pixels = mask.mode, np.asarray(mask).astype(np.int64)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise SaecliError(
            f"the mask '{path}' can't be read", "write it as a PNG of class indices"
        ) from error
    if mode not in _INDEX_MODES:
        raise SaecliError(
            f"the mask '{path}' is a {mode} picture, not class indices",
            "write one number a pixel (mode L or P), in the order of classes.txt",
        )
    largest = int(pixels.max(initial=0))
    if largest >= min(n_classes, 256):
        raise SaecliError(
            f"the mask '{path}' has class {largest} and classes.txt names {n_classes}",
            "add the missing classes to classes.txt, or mend the mask",
        )
    return Image.fromarray(pixels.astype(np.uint8), mode="L")
