"""Files that are written whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from saecli.errors import SaecliError


@contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a new binary file that takes its place at ``path`` only if the block succeeds.

    It is written beside its place, flushed to the disk and renamed; on any failure or
    interrupt it is removed, and what stood at ``path`` stays as it was.

    Raises:
        SaecliError: if the disk is full or the place can't be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise _unwritable(path, error) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> SaecliError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SaecliError(
            f"the disk is full: {path} could not be written",
            f"free some space on the disk that holds {path.parent}, or choose another place",
        )
    return SaecliError(
        f"{path} could not be written ({error.strerror or error})",
        "choose a place that you may write to",
    )
