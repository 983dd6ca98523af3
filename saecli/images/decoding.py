"""From a picture file's bytes to upright RGB, its content hash and its thumbnail."""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from saecli.errors import SaecliError
from saecli.images.containers import MemberError, container_of, member_size, read_member

MAX_PIXELS = 89_478_485
"""Largest picture that is decoded: a quarter of a gigabyte as RGB, Pillow's own warning line."""

THUMBNAIL_QUALITY = 85  # JPEG's 0-95 scale

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")

# MAX_PIXELS is enforced below by an error, so Pillow's warning at the same size says nothing new.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


_ORIENTATION = 0x0112  # EXIF's tag; 5 to 8 turn a picture by a quarter


class UnreadableImage(SaecliError):
    """A file that can't be decoded: broken, truncated, empty, huge, or no picture."""


def decode(path: Path) -> Image.Image:
    """Read a picture as upright 8-bit RGB.

    The EXIF orientation is applied, transparency goes onto white, 16-bit grey is scaled to 8 bits,
    CMYK and palettes are converted, and of several frames the first is taken. The pixels are
    decoded in full (no reduced JPEG decoding), so that they equal other readers'.

    Raises:
        UnreadableImage: if the file can't be read, is no picture, is broken or truncated, holds
            more than MAX_PIXELS pixels, or has 32-bit or floating-point grey levels, whose range
            the file doesn't tell.
    """
    return decode_bytes(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        UnreadableImage: if it can't be read, or is empty.
    """
    try:
        data = _bytes_at(path)
    except MemberError as error:
        raise UnreadableImage(f"'{path}' can't be read: {error}", "leave it out") from error
    except OSError as error:
        raise UnreadableImage(
            f"'{path}' can't be read ({error.strerror})", "check that it exists and is readable"
        ) from error
    if not data:
        raise UnreadableImage(f"'{path}' is an empty file", "replace it or leave it out")
    return data


def _bytes_at(path: Path) -> bytes:
    """A file's bytes, or those of a picture inside a container."""
    try:
        return path.read_bytes()
    except (NotADirectoryError, FileNotFoundError):
        container = container_of(path)
        if container is None:
            raise
        return read_member(container, path.relative_to(container).as_posix())


def decode_bytes(data: bytes, name: str) -> Image.Image:
    """Like ``decode``, from bytes already read; ``name`` is what errors call the picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(name, f"{image.width} × {image.height} pixels")
            image.load()
            return _flatten(_upright(image), name)
    except SaecliError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name, "far more pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            f"'{name}' is no picture that can be read",
            "save it as JPEG, PNG, WebP, BMP, TIFF or GIF, or leave it out",
        ) from error
    except Exception as error:  # damaged files make Pillow's readers raise nearly anything
        raise UnreadableImage(
            f"'{name}' is broken or truncated ({_short(error)})", "replace it or leave it out"
        ) from error


def upright_size(path: Path) -> tuple[int, int] | None:
    """(width, height) in pixels with EXIF applied, from the header; None if it can't be read."""
    try:
        opened = path if path.is_file() else io.BytesIO(read_bytes(path))
        with Image.open(opened, formats=FORMATS) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            return (height, width) if turned else (width, height)
    except Exception:  # what is broken is told where it is decoded
        return None


def content_hash(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        UnreadableImage: if the file can't be read, or is empty.
    """
    return hashlib.sha256(read_bytes(path)).hexdigest()


def size_of_file(path: Path) -> int:
    """Bytes of the file; 0 where there is none, and for a row of a table."""
    try:
        return path.stat().st_size
    except OSError:
        container = container_of(path)
        if container is None:
            return 0
        return member_size(container, path.relative_to(container).as_posix())


def thumbnail(image: Image.Image, longest: int = 128) -> bytes:
    """A JPEG of an RGB picture, at most ``longest`` pixels a side and never enlarged."""
    scale = longest / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # an unreadable EXIF block says nothing about orientation
        return image


def _flatten(image: Image.Image, name: str) -> Image.Image:
    """RGB on white."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        raise UnreadableImage(
            f"'{name}' has {'32-bit' if image.mode == 'I' else 'floating-point'} grey levels of "
            "unknown range",
            "save it with 8 or 16 bits",
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey levels 0-65535 to 0-255, rounded; Pillow's own conversion would clip at 255."""
    levels = np.asarray(image).astype(np.uint32)
    grey = ((levels + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[levels == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _too_large(name: str, found: str) -> UnreadableImage:
    return UnreadableImage(
        f"'{name}' has {found}, more than the {MAX_PIXELS:,} that are decoded",
        "scale it down or leave it out",
    )


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:80] or type(error).__name__
