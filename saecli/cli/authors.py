"""Who gives a label."""

import getpass
import os
from typing import Annotated

import typer

from saecli.errors import SaecliError

Author = Annotated[
    str | None, typer.Option(help="Who says so; default: $SAECLI_AUTHOR, else your user name.")
]


def named(author: str | None) -> str:
    """The author that was named, or that this machine's user is.

    Raises:
        SaecliError: if the name is blank, or nobody is to be found.
    """
    if author is not None and not author.strip():
        raise SaecliError("--author is blank", "say who gives the label", usage=True)
    return author or os.environ.get("SAECLI_AUTHOR") or _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a bare container
        raise SaecliError("nobody is named as the label's author", "give --author") from None
