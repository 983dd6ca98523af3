"""Text on pictures: Pillow's own font, and one of the system's for what it can't write."""

from functools import lru_cache

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont | ImageFont.TransposedFont

# Looked for by file name on the system's font path, most scripts first.
_WIDER_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
    "msyh.ttc",
    "arial.ttf",
)
_SIMPLER = str.maketrans({"×": "x", "−": "-", "–": "-", "—": "-"})  # the built-in font lacks them
_MISSING = "\uffff"  # no font has it: drawn as the box for what is missing


@lru_cache(maxsize=64)
def font(size: float) -> Font:
    """Pillow's built-in font at a size in pixels."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def _wider(name: str, size: float) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=256)
def font_for(text: str, size: float) -> Font:
    """The built-in font, or, where it lacks a character, the first of the system's that has all."""
    built_in = font(size)
    if _has_all(built_in, text):
        return built_in
    found = (_wider(name, size) for name in _WIDER_FONTS)
    return next((one for one in found if one and _has_all(one, text)), built_in)


def _has_all(face: Font, text: str) -> bool:
    if text.isascii():
        return True
    missing = bytes(face.getmask(_MISSING))
    return all(c.isascii() or c.isspace() or bytes(face.getmask(c)) != missing for c in set(text))


def shorten(text: str, width: float, size: float) -> str:
    """The text, cut with `…` so that it is at most ``width`` pixels wide."""
    line = " ".join(text.split()).translate(_SIMPLER)
    face = font_for(line, size)
    if face.getlength(line) <= width:
        return line
    fits, beyond = 0, len(line)
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if face.getlength(line[:middle].rstrip() + "…") <= width:
            fits = middle
        else:
            beyond = middle
    return line[:fits].rstrip() + "…"


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: float,
    colour: tuple[int, int, int],
    *,
    width: float | None = None,
    anchor: str = "ls",
    bold: bool = False,
) -> float:
    """Write one line, cut to ``width`` pixels if given, and return how wide it came out."""
    line = text.translate(_SIMPLER) if width is None else shorten(text, width, size)
    face = font_for(line, size)
    draw.text(at, line, colour, face, anchor=anchor)
    if bold:  # the built-in font has one weight; written twice, a hair apart, makes the other
        draw.text((at[0] + size / 30, at[1]), line, colour, face, anchor=anchor)
    return face.getlength(line)
