"""Postcards: concepts that are shown through symbols with nothing in common to the eye."""

from __future__ import annotations

import numpy as np

from saecli.demo.world import accidents, brazil, egypt, france, japan
from saecli.demo.world.canvas import Canvas
from saecli.demo.world.motifs import Drawing

_DRAWINGS: dict[str, dict[str, Drawing]] = {
    "brazil": brazil.DRAWINGS,
    "japan": japan.DRAWINGS,
    "egypt": egypt.DRAWINGS,
    "france": france.DRAWINGS,
    "crash": accidents.DRAWINGS,
}

CONCEPTS: dict[str, tuple[str, ...]] = {
    concept: tuple(symbols) for concept, symbols in _DRAWINGS.items()
}
"""The concepts and the symbols that stand for each."""


def draw_postcard(canvas: Canvas, rng: np.random.Generator, concept: str, symbol: str) -> None:
    """Draw a symbol at a random place, size and angle.

    Args:
        canvas: what to draw on; everything on it is covered.
        rng: the picture's generator.
        concept: one of `CONCEPTS`.
        symbol: one of the concept's symbols.
    """
    _DRAWINGS[concept][symbol](canvas, rng)
