"""Counterfactual twins: edited copies of pictures under the same stems."""

from collections.abc import Sequence
from pathlib import Path

from saecli.errors import SaecliError
from saecli.images.sources import ImageFile, open_source


def find_twins(folder: Path, files: Sequence[ImageFile]) -> tuple[ImageFile, ...]:
    """The twin of each picture, by its stem.

    Raises:
        SaecliError: if a picture has none, or two.
    """
    by_stem: dict[str, list[ImageFile]] = {}
    for twin in open_source(folder).files:
        by_stem.setdefault(twin.path.stem, []).append(twin)
    found = []
    for file in files:
        twins = by_stem.get(file.path.stem, [])
        if len(twins) != 1:
            count = "no twin" if not twins else f"{len(twins)} twins"
            raise SaecliError(
                f"'{file.name}' has {count} in '{folder}'",
                "give each picture one edited copy of the same stem",
            )
        found.append(twins[0])
    return tuple(found)
