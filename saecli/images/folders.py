"""The picture files below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from saecli.errors import SaecliError
from saecli.images.ade20k import ANNOTATIONS, OBJECT_INFO

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
CLASSES_FILE = "classes.txt"


def walk(root: Path) -> Iterator[tuple[str, Path]]:
    """(name, path) of every picture below the root; links are followed, each folder once."""
    seen = {os.path.realpath(root)}
    pending = [(root, (root / CLASSES_FILE).is_file())]
    while pending:
        folder, has_classes_above = pending.pop()
        for entry in _entries(folder):
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if entry.is_dir():
                holds_classes = (path / CLASSES_FILE).is_file()
                is_masks = holds_classes or (entry.name == "masks" and has_classes_above)
                is_masks |= entry.name == ANNOTATIONS and (folder / OBJECT_INFO).is_file()
                real = os.path.realpath(path)
                if not is_masks and real not in seen:
                    seen.add(real)
                    pending.append((path, has_classes_above))
            elif path.suffix.lower() in SUFFIXES and entry.is_file():
                yield path.relative_to(root).as_posix(), path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise SaecliError(
            f"the folder {folder} can't be read ({error.strerror})", "check its permissions"
        ) from error
