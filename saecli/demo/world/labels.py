"""Inks, mask classes and colours: what every pixel of a drawing stands for."""

from __future__ import annotations

from dataclasses import dataclass

GROUNDS = ("sand", "water", "grass", "rock", "snow", "earth", "tree", "sky")
PARTS = (
    "wing", "bars", "breast", "band", "crown", "face", "back", "tail", "bill", "eye", "leg",
)  # fmt: skip
CLASSES = ("unlabelled", *GROUNDS, *PARTS)
"""The classes of a mask by index; what has no name of its own is unlabelled (0)."""

ATTRIBUTE_PARTS: dict[str, tuple[str, ...]] = {
    "wing": ("wing",),
    "breast": ("breast",),
    "head": ("crown", "face"),
    "back": ("back", "tail"),
    "band": ("band",),
    "bars": ("bars",),
}
"""The bird parts whose pixels show an attribute."""

Rgb = tuple[int, int, int]

PLUMAGE: dict[str, Rgb] = {
    "blue": (30, 82, 200),
    "grey": (146, 149, 156),
    "yellow": (248, 210, 40),
    "red": (206, 28, 36),
    "green": (52, 142, 50),
    "brown": (132, 78, 36),
    "black": (30, 29, 36),
    "white": (244, 242, 238),
    "orange": (238, 124, 22),
}
"""Base colours of feathers, sRGB 0-255, before a picture's own jitter."""


@dataclass(frozen=True)
class Ink:
    """One entry of a drawing's palette: colour, mask class and surface.

    Attributes:
        colour: base colour, sRGB 0-255.
        mask: the mask class that its pixels get.
        texture: name of a texture in `textures.TEXTURES`.
        relief: colour that one unit of the texture adds, sRGB 0-255.
    """

    colour: Rgb
    mask: str = "unlabelled"
    texture: str = "fine"
    relief: Rgb = (9, 9, 9)


INKS: dict[str, Ink] = {
    "sky": Ink((132, 184, 226), "sky", "cloud", (62, 40, 20)),
    "sand": Ink((230, 200, 140), "sand", "dune", (20, 20, 20)),
    "water": Ink((24, 134, 146), "water", "ripple", (34, 40, 38)),
    "grass": Ink((92, 158, 52), "grass", "blade", (40, 40, 20)),
    "rock": Ink((126, 126, 130), "rock", "facet", (38, 38, 38)),
    "snow": Ink((227, 233, 243), "snow", "drift", (27, 22, 13)),
    "earth": Ink((112, 70, 44), "earth", "clod", (32, 23, 17)),
    "tree": Ink((30, 92, 48), "tree", "leaf", (24, 38, 18)),
    "trunk": Ink((88, 62, 40), "tree", "bark", (20, 16, 12)),
    "haze": Ink((136, 156, 186), "unlabelled", "fine", (6, 6, 6)),
    "branch": Ink((92, 66, 46), "unlabelled", "bark", (22, 18, 14)),
    "twig": Ink((76, 132, 58), "unlabelled", "fine", (12, 14, 10)),
    "wing": Ink((0, 0, 0), "wing", "feather", (13, 13, 13)),
    "quill": Ink((0, 0, 0), "wing", "fine", (6, 6, 6)),
    "bars": Ink((0, 0, 0), "bars", "feather", (13, 13, 13)),
    "breast": Ink((0, 0, 0), "breast", "down", (14, 14, 14)),
    "band": Ink((0, 0, 0), "band", "down", (14, 14, 14)),
    "crown": Ink((0, 0, 0), "crown", "down", (11, 11, 11)),
    "face": Ink((0, 0, 0), "face", "down", (11, 11, 11)),
    "back": Ink((0, 0, 0), "back", "feather", (13, 13, 13)),
    "tail": Ink((0, 0, 0), "tail", "feather", (13, 13, 13)),
    "bill": Ink((64, 56, 50), "bill", "fine", (4, 4, 4)),
    "eye": Ink((16, 14, 16), "eye", "fine", (0, 0, 0)),
    "glint": Ink((250, 250, 250), "eye", "fine", (0, 0, 0)),
    "ring": Ink((222, 216, 204), "eye", "fine", (0, 0, 0)),
    "leg": Ink((84, 62, 50), "leg", "fine", (4, 4, 4)),
}
"""The named inks of birds and landscapes. Feathers get their colour from the species."""

INK_INDEX = {name: index for index, name in enumerate(INKS)}
MAX_INKS = 64
