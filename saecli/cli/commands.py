"""The table of commands: names and help lines, so that `saecli --help` imports none of them.

A new command is one module with one function, and one line here. Its help line is the first line
of the function's docstring (a test compares them).
"""

from dataclasses import dataclass

TRAIN, LOOK, TEST, CATALOG = "Train", "Look", "Test", "Catalog"


@dataclass(frozen=True)
class Entry:
    """One command: what the user types, where its function lives, and its line in the help.

    ``name`` holds a space for a command of a group (`probe train`), ``target`` is
    ``module:function`` below `saecli.cli`, ``panel`` the heading it stands under (a group's own
    panel for the commands of a group).
    """

    name: str
    target: str
    panel: str
    help: str


COMMANDS: tuple[Entry, ...] = ()

GROUPS: dict[str, tuple[str, str]] = {
    # name: (panel, help line)
}
