"""What a user says of a file that the file itself leaves open."""

from collections.abc import Collection
from dataclasses import dataclass, fields

from torch import Tensor

from saecli.errors import SaecliError


@dataclass(frozen=True, eq=False)
class Said:
    """None where nothing was said.

    Attributes:
        subtracts: whether the encoder subtracts the decoder's bias.
        activation: ``relu``, ``topk``, ``batchtopk`` or ``jumprelu``.
        k: of topk.
        threshold: the one of batchtopk at evaluation.
        decoder_norm: how Overcomplete normalises its dictionary.
        mean: (d_model,), subtracted from activations before the dictionary sees them.
        scale: what they are then divided by.
    """

    subtracts: bool | None = None
    activation: str | None = None
    k: int | None = None
    threshold: float | None = None
    decoder_norm: str | None = None
    mean: Tensor | None = None
    scale: float | None = None


OPTIONS = {
    "subtracts": "--encoder-subtracts-b-dec",
    "activation": "--activation",
    "k": "--k",
    "threshold": "--threshold",
    "decoder_norm": "--decoder-norm",
    "mean": "--mean",
    "scale": "--scale",
}
"""How the command calls them."""

NORMALISATION = frozenset({"mean", "scale"})


def check_open(said: Said, takes: Collection[str], format_: str) -> None:
    """Return if a format leaves open all that was said.

    Raises:
        SaecliError: naming what its files state themselves.
    """
    for field in fields(said):
        if getattr(said, field.name) is not None and field.name not in takes:
            raise SaecliError(
                f"{OPTIONS[field.name]} says what {format_} files state themselves",
                "leave it out",
                usage=True,
            )
