"""The one exception that reaches a user: a problem and its remedy, in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches


class SaecliError(Exception):
    """Something a user can mend.

    Args:
        problem: what is wrong, with what was found; no capital, no full stop.
        remedy: what to do about it; no capital, no full stop.
        usage: True where the command was called wrongly (exit code 2 instead of 1).
    """

    def __init__(self, problem: str, remedy: str, *, usage: bool = False) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.usage = usage

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


def one_of(names: Iterable[str], wanted: str = "", *, most: int = 6) -> str:
    """The names to offer for a wrong one: the nearest first, at most ``most``, as prose."""
    known = sorted(set(names))
    near = get_close_matches(wanted, known, n=most, cutoff=0.5)
    shown = (near + [name for name in known if name not in near])[:most]
    if not shown:
        return "none"
    if len(shown) == 1:
        return shown[0]
    rest = len(known) - len(shown)
    tail = f" and {rest} more" if rest else ""
    if tail:
        return ", ".join(shown) + tail
    return ", ".join(shown[:-1]) + " and " + shown[-1]


class Interrupted(SaecliError):
    """The user stopped the command; what it had finished is kept (exit code 130)."""

    def __init__(
        self,
        problem: str = "interrupted",
        remedy: str = "what was finished is kept, run the command again to go on",
    ) -> None:
        super().__init__(problem, remedy)
