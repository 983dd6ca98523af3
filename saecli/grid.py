"""A backbone's patch grid: patch number to row and column to pixel box. Row-major from 0."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saecli.errors import SaecliError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


@dataclass(frozen=True, eq=False)
class CoarseMaps:
    """Where S latents fire on M images, averaged over the cells of a grid that backbones share.

    Sparse, latent by latent: latent l owns entries ``start[l]:start[l + 1]``, ordered by column.

    Attributes:
        images: (M,) int64, ascending positions in the image set.
        n_cells: C, cells of each image, row-major.
        start: (S + 1,) int64.
        column: (E,) unsigned: an image's place among the M, times C, plus the cell.
        value: (E,) float16: mean activation of the cell's patches, SAE units.
    """

    images: "NDArray[np.int64]"
    n_cells: int
    start: "NDArray[np.int64]"
    column: "NDArray[np.unsignedinteger[Any]]"
    value: "NDArray[np.float16]"
