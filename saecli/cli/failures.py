"""From an exception to the one sentence and the exit code that the user gets."""

import errno
import re
from collections.abc import Iterator
from typing import Any

import typer

from saecli.errors import Interrupted, SaecliError

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

_TOLD = (  # what the parser of values says, and what is said instead of the option
    (r"Input should be less than or equal to (\S+)", r"takes at most \1"),
    (r"Input should be greater than or equal to (\S+)", r"takes at least \1"),
    (r"Input should be a valid integer.*", "takes a whole number"),
    (r"Input should be a valid number.*", "takes a number"),
    (r"Value error, (.+?) is not one of (.+)", r"takes one of \2, not \1"),
)

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota error

_USAGE_ERROR: Any = typer.BadParameter.__base__  # the class has moved between Typer's versions


def describe(error: BaseException, *, traced: bool = False, kept: bool = False) -> tuple[str, int]:
    """The sentence (without `saecli: `; empty where help was shown) and the exit code.

    Args:
        error: what ended the command.
        traced: True where the traceback is on the screen already.
        kept: True where the command's run is on record, with what it had finished.
    """
    sentence, code = _describe(error, traced, kept)
    return one_line(sentence), code


def _describe(error: BaseException, traced: bool, kept: bool) -> tuple[str, int]:
    if isinstance(error, Interrupted):
        return str(error), INTERRUPTED
    if isinstance(error, SaecliError):
        return str(error), WRONG_USAGE if error.usage else FAILED
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return str(Interrupted()) if kept else "interrupted; run the command again", INTERRUPTED
    if isinstance(error, _USAGE_ERROR):
        return _usage_sentence(error), WRONG_USAGE
    if _is_full_disk(error):
        where = getattr(error, "filename", None)
        at = f" (writing {where})" if where else ""
        return (
            f"the disk is full{at}; free some space and run the command again, "
            "what was finished is kept",
            FAILED,
        )
    if _is_out_of_memory(error):
        return (
            "not enough memory; use a smaller --batch, fewer --latents or another --device",
            FAILED,
        )
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or type(error).__name__).lower()
        return f"{error.filename}: {reason}; check the path and its permissions", FAILED
    text = str(error).strip()
    name = type(error).__name__ + (f": {text}" if text else "")
    remedy = "please report it" if traced else "run again with --debug to see where"
    return f"an error in saecli itself ({name}); {remedy}", FAILED


def _usage_sentence(error: Any) -> str:
    if type(error).__name__ == "NoArgsIsHelpError":
        # With Rich the help is on the screen already, and the message is empty.
        return str(error.message)
    message = _plain(error.format_message().strip().rstrip("."))
    path = error.ctx.command_path if error.ctx is not None else "saecli"
    return f"{message[:1].lower()}{message[1:]}; see '{path} --help'"


def _plain(message: str) -> str:
    """The message without the words of the library that checks values."""
    found = re.fullmatch(r"Invalid value for (.+?): (.+)", message, re.DOTALL)
    if found is None:
        return message
    for theirs, ours in _TOLD:
        told = re.fullmatch(theirs, found[2], re.DOTALL)
        if told:
            return f"{found[1]} {told.expand(ours)}"
    return message


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            # SQLAlchemy keeps the driver's own error in `orig`.
            waiting += [one.__cause__, getattr(one, "orig", None)]


def _is_full_disk(error: BaseException) -> bool:
    return any(
        (isinstance(one, OSError) and one.errno in _FULL)
        or getattr(one, "sqlite_errorname", None) == "SQLITE_FULL"
        or "No space left on device" in str(one)  # safetensors gives only the text
        for one in _chain(error)
    )


def _is_out_of_memory(error: BaseException) -> bool:
    # By name and text: torch isn't imported for the sake of an `isinstance`.
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(one)
        for one in _chain(error)
    )


def one_line(text: str) -> str:
    """The text on one line, with control characters (of a file name, say) made visible."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in " ".join(text.split())
    )
