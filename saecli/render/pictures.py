"""Contact sheets: a picture with its latents, a latent with its exemplars, plain rows of pictures.

Everything comes in as pictures and arrays; views are boxes in pixels of the picture they go with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from saecli.grid import Grid
from saecli.render import colours
from saecli.render.lettering import write
from saecli.render.patches import (
    Box,
    add_heat,
    crop_to_view,
    heat_legend,
    numbered_grid,
    outline,
)

TILE, LARGE, GAP, MARGIN = 132, 440, 8, 24  # pixels


@dataclass(frozen=True)
class ExemplarTile:
    """A picture of a latent.

    Args:
        thumbnail: the whole picture, small, any mode.
        view: what the backbone sees, in the thumbnail's pixels.
        map: (P,), the latent's activations, or None where it is not known.
        patch: the one to outline, or None.
        caption: words below it.
    """

    thumbnail: Image.Image
    view: Box
    map: NDArray[np.floating] | None
    patch: int | None = None
    caption: str = ""


@dataclass(frozen=True)
class LatentRow:
    """A latent on the sheet of a picture.

    Args:
        title: its reference.
        subtitle: its label and figures.
        map: (P,), its activations on the picture.
        exemplars: its pictures, strongest first.
    """

    title: str
    subtitle: str
    map: NDArray[np.floating]
    exemplars: Sequence[ExemplarTile]


@dataclass(frozen=True)
class Attention:
    """Where a network looks, to be contrasted with what its latents mean.

    Args:
        title: what the map is.
        subtitle: what it is of.
        map: (P,), not negative.
    """

    title: str
    subtitle: str
    map: NDArray[np.floating]


def contact_sheet(
    image: Image.Image,
    view: Box,
    grid: Grid,
    patches: Sequence[int],
    rows: Sequence[LatentRow],
    *,
    title: str = "",
    subtitle: str = "",
    attention: Attention | None = None,
) -> Image.Image:
    """The sheet of `inspect`: the numbered picture, and beside it a row per latent.

    A row holds the latent's heat map over the picture and its exemplars with theirs, all on one
    scale, which ends at the row's largest activation. The attention map stands below the picture.
    """
    numbered = numbered_grid(image, view, grid, patches)
    tile = _tile_size(grid)
    most = max((len(row.exemplars) for row in rows), default=0)
    row_height = 30 + tile[1] + 18
    top = MARGIN + (54 if title else 0)
    rows_left = MARGIN + numbered.width + 36
    width = rows_left + (1 + most) * (tile[0] + GAP) + 2 * GAP + MARGIN
    looked = None if attention is None else _attention(image, view, grid, attention)
    left_height = numbered.height + 60 + (0 if looked is None else looked.height)
    height = top + max(left_height, len(rows) * row_height) + MARGIN
    sheet = Image.new("RGB", (width, height), colours.PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        room = width - 2 * MARGIN
        write(draw, (MARGIN, MARGIN + 16), title, 20, colours.INK, width=room, bold=True)
        write(draw, (MARGIN, MARGIN + 36), subtitle, 13, colours.QUIET, width=room)
    sheet.paste(numbered, (MARGIN, top))
    legend = heat_legend(min(numbered.width, 260), "no activation", "the row's largest")
    sheet.paste(legend, (MARGIN, top + numbered.height + 16))
    if looked is not None:
        sheet.paste(looked, (MARGIN, top + numbered.height + 60))
    seen = crop_to_view(image, view, tile)
    for i, row in enumerate(rows):
        _latent_row(sheet, (rows_left, top + i * row_height), seen, grid, patches, row)
    return sheet


def _attention(image: Image.Image, view: Box, grid: Grid, attention: Attention) -> Image.Image:
    longest = max(grid.rows, grid.columns)
    size = (round(LARGE * grid.columns / longest), round(LARGE * grid.rows / longest))
    sheet = Image.new("RGB", (LARGE, 48 + size[1] + 52), colours.PAPER)
    draw = ImageDraw.Draw(sheet)
    write(draw, (0, 18), attention.title, 15, colours.INK, width=LARGE, bold=True)
    write(draw, (0, 38), attention.subtitle, 13, colours.QUIET, width=LARGE)
    seen = crop_to_view(image, view, size)
    largest = float(np.max(attention.map))
    sheet.paste(add_heat(seen, grid, attention.map, largest), (0, 48))
    sheet.paste(heat_legend(260, "no weight", "the map's largest"), (0, 48 + size[1] + 16))
    return sheet


def _tile_size(grid: Grid) -> tuple[int, int]:
    longest = max(grid.rows, grid.columns)
    return (round(TILE * grid.columns / longest), round(TILE * grid.rows / longest))


def _latent_row(
    sheet: Image.Image,
    at: tuple[int, int],
    seen: Image.Image,
    grid: Grid,
    patches: Sequence[int],
    row: LatentRow,
) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = at
    room = sheet.width - MARGIN - x
    taken = write(draw, (x, y + 16), row.title, 15, colours.INK, width=room, bold=True)
    write(draw, (x + taken + 12, y + 16), row.subtitle, 13, colours.QUIET, width=room - taken - 12)
    maps = [row.map, *(tile.map for tile in row.exemplars if tile.map is not None)]
    largest = max((float(np.max(one)) for one in maps), default=0.0)
    heat = add_heat(seen, grid, row.map, largest)
    if patches:
        outline(ImageDraw.Draw(heat), grid, (0, 0, *heat.size), patches, colours.CHOSEN, 1)
    sheet.paste(heat, (x, y + 26))
    x += heat.width + 3 * GAP
    draw.line((x - GAP * 1.5, y + 26, x - GAP * 1.5, y + 25 + heat.height), fill=colours.RULE)
    for tile in row.exemplars:
        sheet.paste(_tile(tile, grid, largest), (x, y + 26))
        if tile.caption:
            write(
                draw, (x, y + 38 + heat.height), tile.caption, 10, colours.QUIET, width=heat.width
            )
        x += heat.width + GAP


def _tile(tile: ExemplarTile, grid: Grid, largest: float) -> Image.Image:
    picture = crop_to_view(tile.thumbnail, tile.view, _tile_size(grid))
    if tile.map is not None:
        picture = add_heat(picture, grid, tile.map, largest)
    if tile.patch is not None:
        draw = ImageDraw.Draw(picture)
        outline(draw, grid, (0, 0, *picture.size), [tile.patch], colours.PEAK, 1)
    return picture


def exemplar_sheet(
    title: str,
    subtitle: str,
    grid: Grid,
    sections: Sequence[tuple[str, Sequence[ExemplarTile]]],
    *,
    columns: int = 8,
) -> Image.Image:
    """The sheet of `show`: a latent's pictures in named sections, all on one heat scale."""
    sections = [(name, tiles) for name, tiles in sections if tiles]
    tile = _tile_size(grid)
    maps = [one.map for _, tiles in sections for one in tiles if one.map is not None]
    largest = max((float(np.max(one)) for one in maps), default=0.0)
    step = (tile[0] + GAP, tile[1] + 22)
    widest = min(columns, max((len(tiles) for _, tiles in sections), default=1))
    width = 2 * MARGIN + max(widest * step[0] - GAP, 400)
    height = MARGIN + 56 + 50 + MARGIN
    height += sum(34 + -(-len(tiles) // columns) * step[1] for _, tiles in sections)
    sheet = Image.new("RGB", (width, height), colours.PAPER)
    draw = ImageDraw.Draw(sheet)
    room = width - 2 * MARGIN
    write(draw, (MARGIN, MARGIN + 16), title, 20, colours.INK, width=room, bold=True)
    write(draw, (MARGIN, MARGIN + 36), subtitle, 13, colours.QUIET, width=room)
    y = MARGIN + 56
    for name, tiles in sections:
        write(draw, (MARGIN, y + 20), name, 14, colours.INK, width=room, bold=True)
        y += 34
        for i, one in enumerate(tiles):
            x = MARGIN + (i % columns) * step[0]
            at = y + (i // columns) * step[1]
            sheet.paste(_tile(one, grid, largest), (x, at))
            write(draw, (x, at + tile[1] + 13), one.caption, 10, colours.QUIET, width=tile[0])
        y += -(-len(tiles) // columns) * step[1]
    legend = heat_legend(260, "no activation", f"{largest:.2f}, the largest here")
    sheet.paste(legend, (MARGIN, y + 16))
    return sheet


def grid_of_pictures(
    pictures: Sequence[Image.Image],
    captions: Sequence[str] = (),
    *,
    columns: int = 8,
    tile: int = TILE,
) -> Image.Image:
    """Pictures side by side, each whole within a square, with a line below each if given."""
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    step = (tile + GAP, tile + (22 if captions else GAP))
    size = (2 * MARGIN + columns * step[0] - GAP, 2 * MARGIN + rows * step[1] - GAP)
    sheet = Image.new("RGB", size, colours.PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        x, y = MARGIN + (i % columns) * step[0], MARGIN + (i // columns) * step[1]
        scale = tile / max(picture.size)
        fitted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        small = picture.convert("RGB").resize(fitted, Image.Resampling.LANCZOS)
        sheet.paste(small, (x + (tile - fitted[0]) // 2, y + (tile - fitted[1]) // 2))
        if i < len(captions):
            write(draw, (x, y + tile + 13), captions[i], 10, colours.QUIET, width=tile)
    return sheet


def below_one_another(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a column, at the left, on the widest one's paper."""
    width, height = max(one.width for one in pictures), sum(one.height for one in pictures)
    sheet = Image.new("RGB", (width, height), colours.PAPER)
    y = 0
    for one in pictures:
        sheet.paste(one, (0, y))
        y += one.height
    return sheet
