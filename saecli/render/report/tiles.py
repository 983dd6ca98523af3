"""Pictures and heat maps inside a page: bytes as data addresses, maps as crisp squares."""

import base64
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from saecli.grid import Grid
from saecli.render import colours

_KINDS = ((b"\xff\xd8", "jpeg"), (b"RIFF", "webp"), (b"\x89PNG", "png"))


def address(picture: bytes) -> str:
    """A picture as a `data:` address."""
    kind = next((name for start, name in _KINDS if picture.startswith(start)), "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def heat_svg(
    values: NDArray[np.floating[Any]], grid: Grid, largest: float, patch: int | None
) -> Markup:
    """A latent's map over a picture: what fires is coloured, all else veiled.

    Args:
        values: (P,), activations.
        grid: the backbone's.
        largest: the activation at the scale's end.
        patch: outlined, or None.
    """
    share = np.asarray(values, np.float64) / largest if largest > 0 else np.zeros(len(values))
    fires = np.flatnonzero(share > 0)
    squares, holes = [], []
    for index, colour in zip(fires.tolist(), colours.heat(share[fires]).tolist(), strict=True):
        row, column = grid.position(index)
        holes.append(f"M{column} {row}h1v1h-1z")
        squares.append(
            Markup('<path d="M{} {}h1v1h-1z" fill="#{:02x}{:02x}{:02x}" opacity="{:.2f}"/>').format(
                column, row, *colour[:3], colour[3] / 255
            )
        )
    veil = f"M0 0h{grid.columns}v{grid.rows}h-{grid.columns}z" + "".join(holes)
    parts = [Markup('<path class="veil" fill-rule="evenodd" d="{}"/>').format(veil), *squares]
    if patch is not None:
        row, column = grid.position(patch)
        parts.append(Markup('<path class="peak" d="M{} {}h1v1h-1z"/>').format(column, row))
    return Markup(
        '<svg class="heat" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'shape-rendering="crispEdges" aria-hidden="true">{}</svg>'
    ).format(grid.columns, grid.rows, Markup("").join(parts))


def scale_css() -> str:
    """The heat scale as a gradient, as it looks over mid grey."""
    stops = []
    for share in np.linspace(0.004, 1, 9):
        red, green, blue, alpha = (int(part) for part in colours.heat(np.array([share]))[0])
        stops.append(f"rgba({red},{green},{blue},{alpha / 255:.2f}) {100 * share:.0f}%")
    return f"linear-gradient(to right, {', '.join(stops)}), #999"
