"""A backbone's patches drawn over a picture: heat maps, outlines, numbers.

A *view* is the (left, top, right, bottom) box of what the backbone sees, in pixels of the picture
that it is drawn on.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from saecli.errors import SaecliError
from saecli.grid import Grid
from saecli.render import colours
from saecli.render.lettering import font, write

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


def crop_to_view(image: Image.Image, view: Box, size: tuple[int, int]) -> Image.Image:
    """What the backbone sees of the picture, at a (width, height) in pixels; RGB."""
    width, height = image.size
    box = (
        min(max(view[0], 0.0), width - 1.0),
        min(max(view[1], 0.0), height - 1.0),
        max(min(view[2], float(width)), 1.0),
        max(min(view[3], float(height)), 1.0),
    )
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=box)


def add_heat(picture: Image.Image, grid: Grid, values: ArrayLike, largest: float) -> Image.Image:
    """Lay a patch map over a picture that shows exactly the view; patches keep their edges.

    Args:
        picture: RGB.
        grid: the map's grid.
        values: (P,), activations in any unit, not negative.
        largest: the activation at the scale's end.

    Raises:
        SaecliError: if the map has not one value per patch.
    """
    flat = np.asarray(values, dtype=np.float64)
    if flat.shape != (grid.n_patches,):
        raise SaecliError(
            f"a map of {flat.shape} values doesn't fit the {grid.rows}×{grid.columns} grid",
            "give one value per patch",
        )
    share = flat / largest if largest > 0 else np.zeros_like(flat)
    small = Image.fromarray(colours.heat(share.reshape(grid.rows, grid.columns)), "RGBA")
    layer = small.resize(picture.size, Image.Resampling.NEAREST)
    # What doesn't fire goes half grey, so that what does keeps its colours and yet stands out.
    grey = Image.blend(picture, picture.convert("L").convert("RGB"), 0.75)
    fires = layer.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    base = Image.composite(picture, grey, fires).convert("RGBA")
    return Image.alpha_composite(base, layer).convert("RGB")


def outline(
    draw: ImageDraw.ImageDraw,
    grid: Grid,
    view: Box,
    patches: Iterable[int],
    colour: Colour,
    width: int = 2,
) -> None:
    """Draw a line around patches, once around those that touch; a dark rim keeps it visible."""
    chosen = set(patches)
    edges: list[Box] = []
    for patch in sorted(chosen):
        row, column = grid.position(patch)
        left, top, right, bottom = grid.box(patch, view)
        if row == 0 or patch - grid.columns not in chosen:
            edges.append((left, top, right, top))
        if row == grid.rows - 1 or patch + grid.columns not in chosen:
            edges.append((left, bottom, right, bottom))
        if column == 0 or patch - 1 not in chosen:
            edges.append((left, top, left, bottom))
        if column == grid.columns - 1 or patch + 1 not in chosen:
            edges.append((right, top, right, bottom))
    for thick, ink in ((width + 2, (0, 0, 0)), (width, colour)):
        half = thick / 2
        for left, top, right, bottom in edges:
            x, y = round(left - half), round(top - half)
            wide, high = round(right - left) + thick, round(bottom - top) + thick
            draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=ink)


def number(draw: ImageDraw.ImageDraw, grid: Grid, view: Box, chosen: Iterable[int] = ()) -> None:
    """Draw the grid's lines and each patch's number, the chosen ones' brighter."""
    left, top, right, bottom = view
    cell_width = (right - left) / grid.columns
    cell_height = (bottom - top) / grid.rows
    for column in range(1, grid.columns):
        x = round(left + column * cell_width)
        draw.line((x, top, x, bottom), fill=(255, 255, 255, 70))
    for row in range(1, grid.rows):
        y = round(top + row * cell_height)
        draw.line((left, y, right, y), fill=(255, 255, 255, 70))
    size = number_size(grid, cell_width, cell_height)
    bright = set(chosen)
    for patch in range(grid.n_patches):
        box = grid.box(patch, view)
        draw.text(
            ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2),
            str(patch),
            (255, 255, 255, 255 if patch in bright else 215),
            font(size),
            anchor="mm",
            stroke_width=1,
            stroke_fill=(0, 0, 0, 150),
        )


def number_size(grid: Grid, cell_width: float, cell_height: float) -> float:
    """The largest lettering, up to 13 pixels, in which the last patch's number fits its patch."""
    last = str(grid.n_patches - 1)
    per_pixel = font(100).getlength(last) / 100
    return min(13.0, 0.8 * cell_width / per_pixel, 0.8 * cell_height)


def numbered_grid(
    image: Image.Image, view: Box, grid: Grid, patches: Iterable[int] = (), *, least: int = 440
) -> Image.Image:
    """The picture with its patches numbered, the chosen ones outlined, the unseen margin faded.

    Args:
        image: the whole picture, any mode.
        view: what the backbone sees of it, in the picture's pixels.
        grid: the backbone's.
        patches: the chosen ones.
        least: the view's width in the result, in pixels; wider where the numbers need it.
    """
    width = max(least, grid.columns * _least_cell(grid))
    scale = width / (view[2] - view[0])
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    picture = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    seen = (view[0] * scale, view[1] * scale, view[2] * scale, view[3] * scale)
    box = (round(seen[0]), round(seen[1]), round(seen[2]), round(seen[3]))
    faded = Image.blend(picture, Image.new("RGB", size, colours.PAPER), 0.65)
    faded.paste(picture.crop(box), box[:2])
    layer = Image.new("RGBA", size)
    draw = ImageDraw.Draw(layer)
    chosen = tuple(patches)
    number(draw, grid, seen, chosen)
    outline(draw, grid, seen, chosen, colours.CHOSEN, 3)
    return Image.alpha_composite(faded.convert("RGBA"), layer).convert("RGB")


def _least_cell(grid: Grid) -> int:
    # Digits of 9 pixels can still be read.
    return round(font(9).getlength(str(grid.n_patches - 1)) / 0.8) + 1


def heat_legend(width: int, left: str, right: str) -> Image.Image:
    """The heat scale as a strip with its two ends named."""
    strip = Image.new("RGB", (width, 34), colours.PAPER)
    scale = np.linspace(0.004, 1, width)[None].repeat(10, axis=0)
    grey = Image.new("RGBA", (width, 10), (150, 150, 150, 255))
    heat = Image.fromarray(colours.heat(scale), "RGBA")
    strip.paste(Image.alpha_composite(grey, heat).convert("RGB"), (0, 0))
    draw = ImageDraw.Draw(strip)
    write(draw, (0, 26), left, 11, colours.QUIET)
    write(draw, (width, 26), right, 11, colours.QUIET, anchor="rs")
    return strip
