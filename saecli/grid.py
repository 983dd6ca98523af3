"""A backbone's patch grid: patch number to row and column to pixel box. Row-major from 0."""

from collections.abc import Iterable
from dataclasses import dataclass

from saecli.errors import SaecliError


@dataclass(frozen=True)
class Grid:
    """`rows` × `columns` patches that tile what the backbone sees of a picture."""

    rows: int
    columns: int

    @property
    def n_patches(self) -> int:
        return self.rows * self.columns

    def position(self, patch: int) -> tuple[int, int]:
        """Row and column of a patch."""
        return divmod(patch, self.columns)

    def box(
        self, patch: int, view: tuple[float, float, float, float]
    ) -> tuple[float, float, float, float]:
        """The patch's (left, top, right, bottom) within a view given in the same units."""
        left, top, right, bottom = view
        row, column = self.position(patch)
        width, height = (right - left) / self.columns, (bottom - top) / self.rows
        return (
            left + column * width,
            top + row * height,
            left + (column + 1) * width,
            top + (row + 1) * height,
        )

    def check(self, patches: Iterable[int]) -> tuple[int, ...]:
        """Return the patches if all lie on the grid.

        Raises:
            SaecliError: naming the first that doesn't, and the last that would.
        """
        chosen = tuple(patches)
        beyond = [patch for patch in chosen if not 0 <= patch < self.n_patches]
        if beyond:
            raise SaecliError(
                f"patch {beyond[0]} is beyond the {self.rows}×{self.columns} grid",
                f"give patches from 0 to {self.n_patches - 1} (inspect without --patches "
                "shows them numbered)",
                usage=True,
            )
        return chosen
