"""Files that are written whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
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
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
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


def _remove(path: Path) -> None:
    with suppress(OSError):  # where its folder can't be, neither is it
        path.unlink()


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
