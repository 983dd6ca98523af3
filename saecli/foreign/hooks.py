"""Where a dictionary was attached, read from the names that other projects give places in a model.

saecli reads the outputs of blocks. The input of block L is the output of block L − 1; anything else
(attention, MLP, a head) is another place.
"""

import re

from saecli.errors import SaecliError

_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_MODULE = re.compile(r"(?:.*\.)?(?:layers?|blocks?|resblocks|h)\.(\d+)")
_INSIDE = re.compile(r"(?:.*\.)?(?:layers?|blocks?|resblocks|h)\.\d+\.(.+)")
_AFTER = ("hook_resid_post",)
_BEFORE = ("hook_resid_pre",)


def layer_of_hook(name: str) -> int | None:
    """The block of a TransformerLens hook, `blocks.9.hook_resid_post`; None if it is no hook.

    Raises:
        SaecliError: if it isn't the output of a block.
    """
    found = _BLOCK.fullmatch(name)
    if found is None:
        return None
    return layer_of_place(int(found[1]), found[2], name)


def layer_of_place(layer: int, place: str, name: str) -> int:
    """The block whose output a place is.

    Raises:
        SaecliError: if it is none.
    """
    if place in _AFTER:
        return layer
    if place in _BEFORE and layer > 0:
        return layer - 1
    raise elsewhere(name)


def layer_of_module(path: str) -> int | None:
    """The block that a module's path names, `vision_model.encoder.layers.9`; None if it names none.

    Raises:
        SaecliError: if it names a part of a block.
    """
    found = _MODULE.fullmatch(path)
    if found is not None:
        return int(found[1])
    if _INSIDE.fullmatch(path):
        raise elsewhere(path)
    return None


def elsewhere(name: str) -> SaecliError:
    """What is said of a place that isn't the output of a block."""
    return SaecliError(
        f"the dictionary was trained on '{name}', and saecli reads outputs of whole blocks",
        "import one that was trained on the residual stream",
    )
