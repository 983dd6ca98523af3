"""Writing on stdout and stderr when whoever read them has gone (`saecli … | head`)."""

import os
from contextlib import suppress
from typing import TextIO


def write(text: str, stream: TextIO) -> None:
    """Print on a stream; once nobody reads it any more, it is silent, and the work goes on."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        discard(stream)


def flush(stream: TextIO) -> None:
    """Flush a stream, as :func:`write` does."""
    try:
        stream.flush()
    except BrokenPipeError:
        discard(stream)


def discard(stream: TextIO) -> None:
    """Send what a stream still holds, and what follows, nowhere."""
    # The interpreter's own flush at exit must not complain about what was left, either.
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
