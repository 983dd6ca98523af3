"""Signatures: each latent's maximum on a uniform draw of images, whose number is known last."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from saecli.profiling.draws import uniform_bits
from saecli.profiling.statistics import Peaks

LARGEST_HALF = float(np.finfo(np.float16).max)


def choose_signature_images(n_images: int, size: int, seed: int) -> NDArray[np.int64]:
    """(min(n_images, size),) int64, ascending: the images whose maxima make the signature.

    A uniform draw that depends on the set's size and the seed alone, never on a dictionary's
    latents, so that every dictionary profiled on the set has its signature on the same images:
    those with the smallest hashes (bottom-k sampling, as in `exemplars`).
    The price: in a set larger than ``size`` a latent that fires on a share q of the images has
    about q · size of them in its signature, and below 20 it can't be compared.
    """
    return smallest(np.arange(n_images, dtype=np.int64), size, seed)


class Signatures:
    """The maxima on ``choose_signature_images``, gathered while the number of images is unknown.

    An image is given a column while it is among the smallest hashes so far; a later one with a
    smaller hash takes the column over. Memory is that of the signature.

    Args:
        n_latents: S.
        size: most images of the signature.
        most_images: how many will come at most.
        seed: of the draw.
    """

    def __init__(self, n_latents: int, size: int, most_images: int, seed: int) -> None:
        self._seed = seed
        self._image = np.full(min(size, most_images), -1, dtype=np.int64)
        self._value = np.zeros((n_latents, len(self._image)), dtype=np.float16)

    def add(self, images: NDArray[np.int64], peaks: Peaks) -> None:
        """Take in a group of images, (G,) ascending; groups come in image order."""
        columns, entering = self._enter(images)
        self._value[:, columns] = 0
        column = np.full(len(images), -1, dtype=np.int64)
        column[entering] = columns
        place = column[peaks.row]
        kept = place >= 0
        self._value[peaks.latent[kept], place[kept]] = np.minimum(peaks.value[kept], LARGEST_HALF)

    def _enter(self, images: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Give columns to those of later images that belong to the draw so far."""
        held = self._image[self._image >= 0]
        chosen = smallest(np.concatenate([held, images]), len(self._image), self._seed)
        self._image[~np.isin(self._image, chosen)] = -1
        entering = np.isin(images, chosen)
        columns = np.flatnonzero(self._image < 0)[: np.count_nonzero(entering)]
        self._image[columns] = images[entering]
        return columns, entering

    def join(self, later: "Signatures") -> None:
        """Take in what was gathered over later images."""
        images, values = later.finish()
        columns, entering = self._enter(images)
        self._value[:, columns] = values[:, entering]

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was gathered so far, by name."""
        return {"image": self._image, "value": self._value}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._image[:] = state["image"]
        self._value[:] = state["value"]

    def finish(self) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """The images (M,), ascending, and the maxima (S, M)."""
        order = np.argsort(self._image, kind="stable")
        order = order[self._image[order] >= 0]
        if np.array_equal(order, np.arange(len(self._image))):
            return self._image, self._value
        return self._image[order], self._value[:, order]


def smallest(images: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """The ``size`` images with the smallest hashes, ascending; ties to the lower image."""
    if len(images) <= size:
        return images
    stream = np.full_like(images, -1)  # no latent's number: apart from the exemplars' samples
    order = np.lexsort((images, uniform_bits(seed, stream, images)))
    return np.sort(images[order[:size]])
