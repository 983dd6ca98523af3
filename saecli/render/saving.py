"""Writing a picture to a file: whole or not at all."""

from pathlib import Path

from PIL import Image

from saecli.errors import SaecliError
from saecli.files import write_whole

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def check_picture_name(path: Path) -> Path:
    """Return the path if a picture can be written under its name: before any work is done.

    Raises:
        SaecliError: if its ending is no picture format of ours, or its folder doesn't exist.
    """
    if path.suffix.lower() not in FORMATS:
        raise SaecliError(
            f"'{path}' doesn't end in a picture format", "end it in .png, .jpg or .webp", usage=True
        )
    if not path.parent.is_dir():
        raise SaecliError(
            f"there is no folder '{path.parent}'", "make it, or write to another one", usage=True
        )
    return path


def check_folder_name(path: Path) -> Path:
    """Return the path if pictures can be written to a folder there, which may not exist yet.

    Raises:
        SaecliError: if it is a file or called like a picture, or its own folder doesn't exist.
    """
    if path.suffix.lower() in FORMATS or (path.exists() and not path.is_dir()):
        raise SaecliError(
            f"'{path}' is no folder, and there is a picture of each experiment",
            "name a folder",
            usage=True,
        )
    if not path.absolute().parent.is_dir():
        raise SaecliError(
            f"there is no folder '{path.parent}'", "make it, or write to another one", usage=True
        )
    return path


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format that the path's ending names.

    Raises:
        SaecliError: if the name or the folder doesn't fit (see `check_picture_name`).
    """
    check_picture_name(path)
    with write_whole(path) as file:
        picture.save(file, FORMATS[path.suffix.lower()], quality=92)
