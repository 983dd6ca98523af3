"""Taking a state dict's tensors and a configuration's fields, with nothing missing or left over."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from saecli.errors import SaecliError, one_of


def take(
    tensors: Mapping[str, Tensor],
    needed: Collection[str],
    name: str,
    *,
    optional: Collection[str] = (),
) -> dict[str, Tensor]:
    """The tensors by name, exactly those that a format has.

    Raises:
        SaecliError: if one is missing or one too many.
    """
    missing = sorted(set(needed) - set(tensors))
    if missing:
        raise SaecliError(
            f"{name} lacks {one_of(missing)}", "check that it is whole and of the format named"
        )
    extra = sorted(set(tensors) - set(needed) - set(optional))
    if extra:
        raise SaecliError(
            f"{name} holds {one_of(extra)}, which saecli can't place",
            "import a plain sparse autoencoder's file",
        )
    return dict(tensors)


def number(settings: Mapping[str, Any], key: str, name: str) -> int:
    """A whole number of a configuration.

    Raises:
        SaecliError: if it isn't there, or is none.
    """
    value = settings.get(key)
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise SaecliError(f"{name} states {key} = {value}, no whole number", "check the file")
    return int(value)


def refuse(name: str, what: str) -> SaecliError:
    """What is said of a dictionary that saecli can't hold."""
    return SaecliError(
        f"{name} is {what}, which isn't the sparse autoencoder of one layer that saecli reads",
        "import a plain sparse autoencoder",
    )
