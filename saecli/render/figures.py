"""Figures of an experiment: classes of patches before and after, probabilities before and after."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from saecli.grid import Grid
from saecli.records import ClassProbability
from saecli.render import colours
from saecli.render.lettering import write
from saecli.render.patches import Box, crop_to_view
from saecli.render.pictures import GAP, MARGIN

_PANEL = 220  # pixels, the longer side


@dataclass(frozen=True)
class SegmentedPicture:
    """One picture and the classes of its patches.

    Args:
        image: the whole picture, any mode.
        view: what the backbone sees, in the picture's pixels.
        before: (P,) class indices that the probe predicts.
        after: (P,) class indices that it predicts after the knock-out.
        truth: (P,) class indices of the mask (-1: unlabelled), or None.
        caption: words beside it.
    """

    image: Image.Image
    view: Box
    before: NDArray[np.integer]
    after: NDArray[np.integer]
    truth: NDArray[np.integer] | None = None
    caption: str = ""


def segmentation_figure(
    pictures: Sequence[SegmentedPicture], grid: Grid, classes: Sequence[str], *, title: str = ""
) -> Image.Image:
    """Input, prediction, prediction after, and truth where known; a row per picture.

    The legend names the classes that occur, and says that a patch without colour is unlabelled.
    """
    longest = max(grid.rows, grid.columns)
    panel = (round(_PANEL * grid.columns / longest), round(_PANEL * grid.rows / longest))
    heads = ["input", "prediction", "after the knock-out"]
    if any(one.truth is not None for one in pictures):
        heads.append("truth")
    legend = 150
    top = MARGIN + (34 if title else 0) + 22
    row_height = panel[1] + 24
    width = 2 * MARGIN + len(heads) * (panel[0] + GAP) + legend
    present = sorted(
        {
            int(index)
            for one in pictures
            for found in (one.before, one.after, one.truth)
            if found is not None
            for index in np.unique(found)
            if index >= 0
        }
    )
    unlabelled = any(one.truth is not None and np.any(one.truth < 0) for one in pictures)
    height = top + max(len(pictures) * row_height, 20 * (len(present) + unlabelled)) + MARGIN
    figure = Image.new("RGB", (width, height), colours.PAPER)
    draw = ImageDraw.Draw(figure)
    if title:
        room = width - 2 * MARGIN
        write(draw, (MARGIN, MARGIN + 16), title, 18, colours.INK, width=room, bold=True)
    for i, head in enumerate(heads):
        write(draw, (MARGIN + i * (panel[0] + GAP), top - 8), head, 13, colours.QUIET)
    for i, one in enumerate(pictures):
        y = top + i * row_height
        seen = crop_to_view(one.image, one.view, panel)
        figure.paste(seen, (MARGIN, y))
        for j, found in enumerate((one.before, one.after, one.truth)):
            if found is not None:
                painted = _painted(seen, grid, found)
                figure.paste(painted, (MARGIN + (j + 1) * (panel[0] + GAP), y))
        write(draw, (MARGIN, y + panel[1] + 14), one.caption, 11, colours.QUIET, width=width - 200)
    x = width - MARGIN - legend + 2 * GAP
    room = legend - 2 * GAP - 20
    for i, index in enumerate(present):
        y = top + 20 * i
        draw.rectangle((x, y, x + 13, y + 13), fill=colours.class_colour(index))
        write(draw, (x + 20, y + 12), classes[index], 12, colours.INK, width=room)
    if unlabelled:
        y = top + 20 * len(present)
        draw.rectangle((x, y, x + 13, y + 13), outline=colours.QUIET)
        write(draw, (x + 20, y + 12), "unlabelled", 12, colours.INK, width=room)
    return figure


def _painted(seen: Image.Image, grid: Grid, found: NDArray[np.integer]) -> Image.Image:
    flat = np.asarray(found).reshape(grid.rows, grid.columns)
    paint = np.zeros((grid.rows, grid.columns, 4), dtype=np.uint8)
    for index in np.unique(flat):
        if index >= 0:
            paint[flat == index] = (*colours.class_colour(int(index)), 185)
    layer = Image.fromarray(paint, "RGBA").resize(seen.size, Image.Resampling.NEAREST)
    grey = seen.convert("L").convert("RGBA")
    return Image.alpha_composite(grey, layer).convert("RGB")


def probability_bars(
    before: Sequence[ClassProbability],
    after: Sequence[ClassProbability],
    *,
    title: str = "",
    most: int = 8,
) -> Image.Image:
    """Mean class probabilities before and after an edit, a pair of bars per class."""
    then = {one.class_: one.probability for one in before}
    now = {one.class_: one.probability for one in after}
    names = list(dict.fromkeys([*then, *now]))
    names = sorted(names, key=lambda name: -max(then.get(name, 0.0), now.get(name, 0.0)))[:most]
    label, bars, row, width = 190, 340, 44, 190 + 340 + 60 + 2 * MARGIN
    top = MARGIN + (30 if title else 0) + 26
    figure = Image.new("RGB", (width, top + row * len(names) + MARGIN), colours.PAPER)
    draw = ImageDraw.Draw(figure)
    if title:
        room = width - 2 * MARGIN
        write(draw, (MARGIN, MARGIN + 14), title, 16, colours.INK, width=room, bold=True)
    x = MARGIN + label
    for offset, word, colour in ((0, "before", colours.BEFORE), (90, "after", colours.AFTER)):
        draw.rectangle((x + offset, top - 24, x + offset + 11, top - 13), fill=colour)
        write(draw, (x + offset + 17, top - 13), word, 12, colours.QUIET)
    for i, name in enumerate(names):
        y = top + i * row
        write(draw, (x - 12, y + 23), name, 13, colours.INK, width=label - 12, anchor="rs")
        pairs = ((then.get(name), colours.BEFORE), (now.get(name), colours.AFTER))
        for j, (probability, colour) in enumerate(pairs):
            if probability is None:
                continue
            end = x + max(1, round(bars * min(max(probability, 0.0), 1.0)))
            draw.rectangle((x, y + 4 + 15 * j, end, y + 16 + 15 * j), fill=colour)
            write(draw, (end + 6, y + 15 + 15 * j), f"{probability:.2f}", 11, colours.QUIET)
    draw.line((x, top, x, top + row * len(names) - 6), fill=colours.INK)
    return figure
