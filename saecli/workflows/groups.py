"""Pictures that belong together: which group each is of, and which groups chose the latents.

Frames of one film are nearly one picture. Where one of them helped to choose latents, a test on
another would be as circular as a test on itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saecli.errors import SaecliError
from saecli.images.decoding import UnreadableImage, content_hash
from saecli.images.sources import ImageFile, ImageSource, read_group_table


@dataclass(frozen=True)
class Groups:
    """A table of groups, read for one set of pictures.

    Attributes:
        table: the CSV file.
        of: the group of each picture that it names, by its path relative to the set's folder.
        used: groups that have a picture that helped to choose the latents.
    """

    table: Path
    of: Mapping[str, str]
    used: frozenset[str]

    @classmethod
    def read(cls, table: Path, source: ImageSource, used: Collection[str]) -> "Groups":
        """Read a table and find the groups of used pictures.

        The table may name pictures that are not in the set, by paths from the set's folder
        (``../explored/17.jpg``): so it tells which group a picture of another folder is of.

        Args:
            used: SHA-256 of the pictures that helped to choose the latents.

        Raises:
            SaecliError: if there is no such table, or it has other columns.
        """
        of = {name: group for name, group in read_group_table(table).items() if group}
        paths = {file.name: file.path for file in source.files}
        found = (
            group
            for name, group in of.items()
            if used and _sha256(paths.get(name, source.root / name)) in used
        )
        return cls(table, of, frozenset(found))

    def bars(self, file: ImageFile) -> bool:
        """Whether a picture is of a used group."""
        return self.of.get(file.name) in self.used

    def labels(self, files: Sequence[ImageFile]) -> tuple[str, ...]:
        """The group of each picture.

        Raises:
            SaecliError: if the table gives one none.
        """
        lacking = [file.name for file in files if file.name not in self.of]
        if lacking:
            rest = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise SaecliError(
                f"{self.table} gives '{lacking[0]}'{rest} no group",
                "give each picture one, by its path relative to the set's folder",
            )
        return tuple(self.of[file.name] for file in files)

    def labels_or_names(self, files: Sequence[ImageFile]) -> tuple[str, ...]:
        """The same; a picture that the table gives no group is one of its own."""
        return tuple(self.of.get(file.name, f"file {file.name}") for file in files)


def _sha256(path: Path) -> str | None:
    try:
        return content_hash(path)
    except UnreadableImage:  # it can have chosen nothing
        return None
