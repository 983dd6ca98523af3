"""Uniform numbers that depend on names alone: draws that no order and no batching can change."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 40


def uniform_bits(seed: int, *words: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
    """``HASH_BITS`` uniform bits of the seed and one or several arrays of words, elementwise.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA), once for each word.
    """
    state = np.full(words[0].shape, seed & (2**64 - 1), dtype=np.uint64)
    for word in words:
        state = state + np.uint64(0x9E3779B97F4A7C15) + word.astype(np.uint64)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state >> np.uint64(64 - HASH_BITS)
