"""Where recorded activations are kept; free of torch, for the command line's defaults."""

from dataclasses import dataclass
from pathlib import Path

STORE_BUFFER = 1 << 18
"""Patches of a store that are mixed in memory, twice: 0.8 GB of 768 wide in float16."""


@dataclass(frozen=True)
class CacheSettings:
    """Where recorded activations are kept and how much room they may take.

    Attributes:
        folder: of the files, found again by the next command; None keeps them in memory only.
        max_bytes_ram: a recording up to this size is read into memory, a larger one is mapped.
        max_bytes_file: all recordings in the folder together; the oldest make room.
    """

    folder: Path | None = None
    max_bytes_ram: int = 4 << 30
    max_bytes_file: int = 32 << 30

    def holds(self, n_bytes: int) -> bool:
        """Whether a recording of this size can be kept, in memory or in a file."""
        return n_bytes <= self.max_bytes_ram or self.files(n_bytes)

    def files(self, n_bytes: int) -> bool:
        """Whether a recording of this size is kept in a file."""
        return self.folder is not None and n_bytes <= self.max_bytes_file
