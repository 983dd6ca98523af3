"""What an experiment measures: the margin of a class, and on which patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

HALF = 0.5  # share of a patch from which a class, or no class, holds it


@dataclass(frozen=True)
class Contrast:
    """Class A, and class B in whose favour it is expected to fall, by their indices.

    Args:
        a: the class whose margin is measured.
        b: the class that A's logit is compared with; None for the log-odds of A.
    """

    a: int
    b: int | None = None

    def margin(self, logits: Tensor) -> Tensor:
        """In nats: logit A − logit B, or log p(A) / (1 − p(A)).

        Args:
            logits: (..., n_classes), float.

        Returns:
            (...), differentiable.
        """
        if self.b is not None:
            return logits[..., self.a] - logits[..., self.b]
        others = torch.arange(logits.shape[-1], device=logits.device) != self.a
        return logits[..., self.a] - torch.logsumexp(logits[..., others], dim=-1)


def patch_labels(
    shares: npt.NDArray[np.float64], unlabelled: int | None = None
) -> npt.NDArray[np.int64]:
    """The class that holds each patch.

    Args:
        shares: (..., P, n_classes), the share of each class in each patch.
        unlabelled: the index of the class that means "not labelled", if the masks have one.

    Returns:
        (..., P): the class with the largest share, if that is at least half of the patch, else −1.
    """
    known = shares.copy()
    if unlabelled is not None:
        known[..., unlabelled] = 0.0
    held = known.max(axis=-1) >= HALF
    return np.where(held, known.argmax(axis=-1), -1)


def target_patches(
    shares: npt.NDArray[np.float64], a: int, unlabelled: int | None = None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which patches are A, and which others count.

    Args:
        shares, unlabelled: as for :func:`patch_labels`.
        a: the class.

    Returns:
        target (..., P): at least half A; other (..., P): not so, and at least half labelled.
    """
    known = shares.sum(axis=-1)
    if unlabelled is not None:
        known = known - shares[..., unlabelled]
    target = shares[..., a] >= HALF
    return target, ~target & (known >= HALF)
