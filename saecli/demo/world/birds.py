"""A bird: its outline, pose and plumage on the ink map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saecli.demo.world.canvas import Canvas, Points, curve, stroke
from saecli.demo.world.labels import INK_INDEX, PLUMAGE

# Outlines in units of the bird's own length: x forward, y down, origin in mid-body.
_BODY = np.array([
    (0.30, -0.33), (0.00, -0.28), (-0.34, -0.14), (-0.52, 0.02), (-0.44, 0.15), (-0.20, 0.29),
    (0.08, 0.36), (0.35, 0.29), (0.54, 0.09), (0.61, -0.16), (0.52, -0.34),
])  # fmt: skip
_MANTLE = np.array([
    (0.36, -0.30), (0.10, -0.31), (-0.30, -0.165), (-0.56, -0.01), (-0.48, 0.07), (-0.1, -0.06),
    (0.26, -0.13),
])  # fmt: skip
_WING = np.array([
    (0.31, -0.10), (0.23, -0.20), (0.00, -0.215), (-0.34, -0.105), (-0.64, 0.035), (-0.78, 0.12),
    (-0.52, 0.13), (-0.20, 0.14), (0.08, 0.12), (0.25, 0.02),
])  # fmt: skip
_HEAD = np.array([
    (0.23, -0.33), (0.25, -0.50), (0.37, -0.61), (0.52, -0.61), (0.64, -0.52), (0.68, -0.39),
    (0.63, -0.27), (0.62, -0.17), (0.50, -0.13), (0.37, -0.16), (0.27, -0.22),
])  # fmt: skip
_SHOULDER = np.array([0.22, -0.10])
_NECK = np.array([0.40, -0.24])
_FACE_LEVEL = -0.40


@dataclass(frozen=True)
class Pose:
    """Where the bird is, for its shading.

    Attributes:
        to_body: (2, 3), from picture coordinates (0-1, x then y) to the bird's own.
        head: centre of the head in the bird's own coordinates.
        feet: where it stands, picture coordinates.
        scale: length of the bird's unit, in picture widths.
        on_branch: whether it sits on a branch and so casts no shadow on the ground.
    """

    to_body: NDArray[np.float64]
    head: NDArray[np.float64]
    feet: tuple[float, float]
    scale: float
    on_branch: bool


def _turned(points: Points, angle: float, pivot: NDArray[np.float64]) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Points = (points - pivot) @ np.array([[cos, sin], [-sin, cos]]) + pivot
    return turned


def dress(canvas: Canvas, attributes: Mapping[str, str], jitter: NDArray[np.float64]) -> None:
    """Give the feather inks the colours of the attributes.

    Args:
        canvas: whose palette changes.
        attributes: as `species.ATTRIBUTE_VALUES` lists them.
        jitter: (6, 3), the picture's own shift of wing, breast, head, back, band and bars.
    """
    bars = attributes["wing"] if attributes["bars"] == "none" else attributes["bars"]
    band = attributes["breast"] if attributes["band"] == "none" else attributes["band"]
    shifts = {
        "wing": jitter[0], "breast": jitter[1], "head": jitter[2], "back": jitter[3],
        "band": jitter[1] if attributes["band"] == "none" else jitter[4],
        "bars": jitter[0] if attributes["bars"] == "none" else jitter[5],
    }  # fmt: skip
    worn = {
        "wing": (attributes["wing"], "wing", 1.0), "quill": (attributes["wing"], "wing", 0.62),
        "bars": (bars, "bars", 1.0), "breast": (attributes["breast"], "breast", 1.0),
        "band": (band, "band", 1.0), "crown": (attributes["head"], "head", 1.0),
        "face": (attributes["head"], "head", 1.0), "back": (attributes["back"], "back", 0.9),
        "tail": (attributes["back"], "back", 0.82),
    }  # fmt: skip
    for ink, (value, attribute, tone) in worn.items():
        steady = 0.5 if value == "black" else 1.0
        colour = np.clip(np.array(PLUMAGE[value]) + steady * shifts[attribute], 0, 255)
        if ink == "quill" and value == "black":
            colour, tone = colour + 34, 1.0
        canvas.colour[INK_INDEX[ink]] = colour * tone
    # What isn't worn leaves its place to the part beneath it.
    for ink, beneath in (("band", "breast"), ("bars", "wing")):
        if attributes[ink] == "none":
            canvas.classes[INK_INDEX[ink]] = canvas.classes[INK_INDEX[beneath]]


def draw_bird(
    canvas: Canvas, rng: np.random.Generator, attributes: Mapping[str, str], *, perch: bool
) -> Pose:
    """Draw a bird in a random pose; the draws don't depend on its attributes.

    Args:
        canvas: what to draw on.
        rng: the picture's generator.
        attributes: the bird's plumage.
        perch: put it on a branch, whatever chance says.

    Returns:
        Its pose.
    """
    chance = rng.random(16)
    normal = rng.normal(0, 1, 12)
    wobble = rng.normal(0, 1, (11, 2))
    jitter = 6.5 * rng.normal(0, 1, (6, 1)) + 4 * rng.normal(0, 1, (6, 3))
    dress(canvas, attributes, jitter)

    scale = 0.37 + 0.13 * chance[0]
    tilt = np.deg2rad(-22 + 34 * chance[1])
    mirror = -1.0 if chance[2] < 0.5 else 1.0
    centre = np.array([0.5 + 0.085 * (2 * chance[3] - 1), 0.49 + 0.07 * (2 * chance[4] - 1)])
    on_branch = perch or chance[5] < 0.35
    turn_head = np.deg2rad(7 * np.clip(normal[0], -2, 2) + 6)
    turn_wing = np.deg2rad(4.5 * np.clip(normal[1], -2, 2))
    plump = 1 + 0.06 * float(np.clip(normal[2], -2, 2))

    cos, sin = np.cos(tilt), np.sin(tilt)
    linear = scale * np.array([[mirror * cos, -mirror * sin], [sin, cos]])
    to_picture = np.concatenate([linear, centre[:, None]], axis=1)

    body = curve((_BODY + 0.008 * wobble) * (1, plump))
    head = curve(_turned(_HEAD, turn_head, _NECK))
    wing = curve(_WING + 0.006 * wobble[:10])
    legs = np.array([(0.10, 0.30 * plump), (-0.06, 0.31 * plump)]) @ linear.T + centre
    stance = float(legs[:, 1].max()) + scale * (0.17 + 0.08 * chance[6])

    if on_branch:
        _draw_branch(canvas, chance, float(legs[:, 0].mean()), stance)
    _draw_legs(canvas, legs, stance, scale, mirror)

    canvas.shift = to_picture
    tail_end = 0.98 + 0.12 * chance[7]
    droop = 0.10 + 0.05 * normal[3]
    fork = 0.05 * chance[8]
    canvas.polygon(
        [(-0.30, -0.12), (-tail_end, droop - 0.06), (-tail_end + fork, droop + 0.02),
         (-tail_end + 0.02, droop + 0.11), (-0.34, 0.12)], "tail",
    )  # fmt: skip
    canvas.polygon(body, "breast")
    _draw_band(canvas, body, plump)
    canvas.polygon(curve(_MANTLE), "back")
    _draw_head(canvas, head, turn_head, chance)
    _draw_wing(canvas, wing, turn_wing, scale)
    canvas.shift = np.array([[1.0, 0, 0], [0, 1.0, 0]])

    inverse = np.linalg.inv(linear)
    to_body = np.concatenate([inverse, (-inverse @ centre)[:, None]], axis=1)
    middle = _turned(np.array([[0.46, -0.38]]), turn_head, _NECK)[0]
    return Pose(to_body, middle, (float(legs[:, 0].mean()), stance), scale, on_branch)


def _draw_band(canvas: Canvas, body: Points, plump: float) -> None:
    """A wide band from the throat down across the upper breast, under head and wing."""
    front = body[37:57]  # from the lower breast up to the throat
    inner = [(0.52, -0.30), (0.30, -0.22), (0.10, 0.02), (0.15, 0.20 * plump)]
    canvas.polygon(np.concatenate([front, inner]), "band")


def _draw_head(canvas: Canvas, head: Points, turn: float, chance: NDArray[np.float64]) -> None:
    def turned(points: object) -> Points:
        return _turned(np.asarray(points, float), turn, _NECK)

    length = 0.17 + 0.09 * chance[9]
    depth = 0.055 + 0.03 * chance[10]
    canvas.polygon(
        turned([(0.62, -0.40 - depth), (0.69 + length, -0.36), (0.62, -0.37 + depth)]), "bill"
    )
    if chance[11] < 0.25:
        tuft = 0.06 + 0.08 * chance[12]
        canvas.polygon(
            turned(
                [(0.54, -0.60), (0.40, -0.63 - 0.3 * tuft), (0.20, -0.60 - tuft), (0.25, -0.45)]
            ),
            "crown",
        )
    canvas.polygon(head, "face")
    canvas.polygon(head[head[:, 1] < _FACE_LEVEL], "crown")
    x, y = turned([(0.535, -0.43)])[0]
    canvas.disc(x, y, 0.052, "ring")
    canvas.disc(x, y, 0.040, "eye")
    canvas.disc(x + 0.012, y - 0.014, 0.013, "glint")


def _draw_wing(canvas: Canvas, wing: Points, turn: float, scale: float) -> None:
    def turned(points: object) -> Points:
        return _turned(np.asarray(points, float), turn, _SHOULDER)

    canvas.polygon(turned(wing), "wing")
    upper, lower = wing[30:3:-1], wing[30:57]  # both from the tip forward
    for lead in (0.245, 0.03, -0.185):
        above = np.linspace(lead, lead - 0.15, 4)
        below = above[::-1] - 0.06
        top = np.interp(above, upper[:, 0], upper[:, 1]) + 0.012
        bottom = np.interp(below, lower[:, 0], lower[:, 1]) - 0.02
        outline = np.stack([np.append(above, below), np.append(top, bottom)], axis=1)
        canvas.polygon(turned(outline), "bars")
    width = 0.013 * scale
    for start, end in (
        ((-0.36, -0.03), (-0.72, 0.095)), ((-0.34, 0.02), (-0.65, 0.115)),
        ((-0.33, 0.07), (-0.54, 0.125)),
    ):  # fmt: skip
        canvas.line(turned([start, end]), "quill", width)
    canvas.polygon(
        stroke(turned([(0.25, 0.02), (0.08, 0.117), (-0.20, 0.137), (-0.52, 0.127), (-0.78, 0.12)]),
               (0.012, 0.02, 0.02, 0.018, 0.008)), "quill",
    )  # fmt: skip


def _draw_legs(
    canvas: Canvas, legs: NDArray[np.float64], stance: float, scale: float, mirror: float
) -> None:
    width = 0.034 * scale
    for x, y in legs:
        canvas.line([(x, y - 0.03), (x + 0.01 * mirror, stance)], "leg", width)
        toes = [(x - 0.07 * scale * mirror, stance), (x + 0.12 * scale * mirror, stance + 0.004)]
        canvas.line(toes, "leg", width)


def _draw_branch(canvas: Canvas, chance: NDArray[np.float64], x: float, y: float) -> None:
    """A branch from edge to edge through the bird's feet, with a twig and two leaves."""
    slope = 0.16 * (2 * chance[13] - 1)
    bend = 0.05 * (2 * chance[14] - 1)
    xs = np.linspace(-0.04, 1.04, 9)
    ys = y + 0.02 + slope * (xs - x) + bend * (xs - x) ** 2 * 4
    thick = 0.036 + 0.02 * chance[15]
    canvas.polygon(
        stroke(np.stack([xs, ys], 1), np.linspace(thick * 1.25, thick * 0.6, 9)), "branch"
    )
    k = 1 if x > 0.5 else 7
    side = 1 if chance[14] < 0.5 else -1
    foot = np.array([xs[k], ys[k]])
    tip = foot + np.array([0.07 if k == 1 else -0.07, -0.10 * side])
    canvas.polygon(stroke([foot, (foot + tip) / 2, tip], (0.02, 0.015, 0.01)), "branch")
    for across in (-0.035, 0.035):
        end = tip + np.array([across * 1.7, -0.055 * side])
        leaf = np.linspace(tip, end, 5)
        canvas.polygon(stroke(leaf, (0.004, 0.03, 0.036, 0.024, 0.002)), "twig")
