"""The layout of ADE20K's scene parsing set, and of sets that were laid out like it.

`images/training`, `images/validation`, `annotations/training`, `annotations/validation` and
`objectInfo150.txt`: a table with tabs between its columns, of which `Idx` is a mask's value and
`Name` the class with its synonyms; the value 0 means unlabelled (Zhou et al. 2017, "Scene Parsing
through ADE20K Dataset"; ADEChallengeData2016).
"""

from dataclasses import dataclass
from pathlib import Path

from saecli.errors import SaecliError

OBJECT_INFO = "objectInfo150.txt"
ANNOTATIONS = "annotations"
UNLABELLED = "unlabelled"  # the class of a mask that takes part in nothing
TRAINING, VALIDATION = "training", "validation"


@dataclass(frozen=True)
class Layout:
    """Folders of pictures and of their masks; the held-out ones are None where there are none."""

    images: Path
    masks: Path
    held_out_images: Path | None
    held_out_masks: Path | None


def layout_of(folder: Path) -> Layout | None:
    """The parts of a set that is laid out like ADE20K, or None."""
    images, masks = folder / "images", folder / ANNOTATIONS
    if not all(part.is_dir() for part in (images / TRAINING, masks / TRAINING)):
        return None
    held_out = all(part.is_dir() for part in (images / VALIDATION, masks / VALIDATION))
    return Layout(
        images / TRAINING,
        masks / TRAINING,
        images / VALIDATION if held_out else None,
        masks / VALIDATION if held_out else None,
    )


def object_names(file: Path, text: str) -> tuple[str, ...]:
    """The classes of masks by value: `unlabelled`, then each class by the first of its names.

    Where two classes begin with the same name, both keep all their synonyms.

    Raises:
        SaecliError: if the table has no such columns, or its numbers don't run from 1.
    """
    rows = [[cell.strip() for cell in line.split("\t")] for line in text.splitlines() if line]
    heading = rows[0] if rows else []
    try:
        number, name = heading.index("Idx"), heading.index("Name")
        found = {int(row[number]): row[name] for row in rows[1:]}
    except (ValueError, IndexError):
        found = {}
    if not found or sorted(found) != list(range(1, len(rows))) or not all(found.values()):
        raise SaecliError(
            f"{file} is no table of ADE20K's classes",
            "give it columns Idx (1, 2, …) and Name, with tabs between, or write classes.txt",
        )
    whole = [found[i] for i in sorted(found)]
    short = [one.split(",")[0].strip() for one in whole]
    names = [b if short.count(b) == 1 else a for a, b in zip(whole, short, strict=True)]
    return (UNLABELLED, *names)
