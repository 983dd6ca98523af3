"""Names that a running command has to itself: two commands must not train one dictionary."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from saecli.errors import SaecliError


@contextmanager
def claimed(folder: Path, names: Sequence[str], catalog: str) -> Iterator[None]:
    """Keep names of dictionaries to this process while the block runs.

    The system lets go of them when the process ends, however it ends.

    Args:
        folder: of the catalog's unfinished runs; made if it isn't there.
        names: of the dictionaries.
        catalog: its name, for the sentence.

    Raises:
        SaecliError: if another process has one of them, or the folder can't be written.
    """
    with ExitStack() as stack:
        for name in sorted(set(names)):
            place = folder / f".{name}.lock"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(place, timeout=0))
            except Timeout:
                raise SaecliError(
                    f"another saecli is training '{name}' in {catalog} right now",
                    "wait until it is done, or choose another --name",
                ) from None
            except OSError as error:
                raise SaecliError(
                    f"{place} could not be written ({error.strerror or error})",
                    "choose a catalog whose folder you may write to",
                ) from error
            stack.callback(place.unlink, missing_ok=True)  # before the lock is let go
        yield
