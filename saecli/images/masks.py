"""Masks: PNGs whose pixels are class indices, each of one picture."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from saecli.errors import SaecliError
from saecli.images.decoding import upright_size
from saecli.images.sources import ImageFile, find_mask

_INDEX_MODES = ("L", "P", "1", "I", "I;16")


def mask_of(masks: Path, image: ImageFile, n_classes: int) -> Image.Image:
    """The mask of a picture, mode L.

    It may be smaller or larger than the picture, but must have its shape, so that both are cut
    alike.

    Raises:
        SaecliError: if there is none, it can't be used (see `read_mask`), or it has another shape
            than the upright picture.
    """
    path = find_mask(masks, image)
    mask = read_mask(path, n_classes)
    size = upright_size(image.path)
    if size is not None and not _same_shape(mask.size, size):
        raise SaecliError(
            f"the mask '{path}' is {mask.width} × {mask.height} pixels and its picture "
            f"{size[0]} × {size[1]}, another shape",
            "make it from the picture as it is shown, upright by its EXIF orientation",
        )
    return mask


def check_masks(masks: Path, images: Sequence[ImageFile]) -> None:
    """Return if each picture has a mask of its own; none is opened.

    Raises:
        SaecliError: if one has none, or two pictures of the same stem share one.
    """
    check_not_shared(masks, images)
    for image in images:
        find_mask(masks, image)


def check_not_shared(masks: Path, images: Sequence[ImageFile]) -> None:
    """Return if no mask belongs to two pictures (`a/x.jpg` and `b/x.jpg`, but one `x.png`).

    Raises:
        SaecliError: naming two pictures that share one.
    """
    stems: dict[str, list[ImageFile]] = {}
    for image in images:
        stems.setdefault(PurePosixPath(image.name).stem, []).append(image)
    owners: dict[Path, ImageFile] = {}
    for image in (one for same in stems.values() if len(same) > 1 for one in same):
        try:
            path = find_mask(masks, image)
        except SaecliError:
            continue
        if path in owners:
            raise SaecliError(
                f"'{owners[path].name}' and '{image.name}' share the mask '{path}'",
                "lay the masks out in the pictures' folders, or give each picture its own name",
            )
        owners[path] = image


def _same_shape(mask: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether one is the other scaled, but for rounding to whole pixels."""
    small, large = sorted((mask, picture))
    ratio = max(small[0] / large[0], small[1] / large[1])
    return all(abs(a - b * ratio) < 1 for a, b in zip(small, large, strict=True))


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
