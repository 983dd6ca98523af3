"""Which latents a margin rests on: how a set to knock out is proposed.

First-order attribution: to set a latent to 0 moves patch p by −f_l(x_p) · scale · W_dec[l], so
that the margin changes by about −Σ_p f_l(x_p) · scale · (gradient_p · W_dec[l]): one backward pass
through the remaining blocks gives the figure for all latents (attribution patching: Nanda 2023;
for SAE latents Marks et al. 2024, arXiv 2403.19647, section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.backbones.protocol import LayerOutput
from saecli.errors import SaecliError
from saecli.experiments.activity import Activity, chunks
from saecli.experiments.runner import Bench


@dataclass(frozen=True, eq=False)
class Attribution:
    """Predicted change of the margin if a latent is set to 0 everywhere.

    Args:
        values: (n_latents,) float64, in nats, mean over pictures; negative where the latent
            speaks for A.
    """

    values: npt.NDArray[np.float64]
    n_images: int

    def ranked(self) -> npt.NDArray[np.int64]:
        """Latents, those whose suppression lowers the margin most first; ties by lower index."""
        return np.argsort(self.values, kind="stable")


def attribute(
    bench: Bench, pictures: Iterable[tuple[LayerOutput, npt.NDArray[np.bool_] | None]]
) -> Attribution:
    """Attribute the margin of A (over B) to the latents.

    Args:
        bench: network, dictionary, probe and classes.
        pictures: batches at the dictionary's layer, each with the patches (b, P) whose mean margin
            counts (segmentation), or None: the pictures' margin; in segmentation then the mean over
            the patches predicted A.

    Raises:
        SaecliError: if there is no picture, or in segmentation no target patch in any.
    """
    bench.check()
    dictionary, n_images = bench.dictionary, 0
    total = np.zeros(dictionary.n_latents)
    for output, target in pictures:
        patches = output.patches.detach().requires_grad_(True)
        with torch.enable_grad():
            margins = margins_of(bench, output.with_patches(patches), target)
            (gradient,) = torch.autograd.grad(margins.sum(), patches)
        n_images += len(margins)
        with torch.no_grad():
            slopes = chunks(gradient.to(dictionary.dtype), dictionary.n_latents)
            points = chunks(patches.detach().to(dictionary.dtype), dictionary.n_latents)
            for g, x in zip(slopes, points, strict=True):
                along = dictionary.scale_of(x) * (g @ dictionary.W_dec.T)
                moved = -dictionary.encode(x) * along
                total += moved.sum(dim=0).cpu().double().numpy()
    if not n_images:
        raise SaecliError("no picture shows the class", "choose pictures that do, or another class")
    return Attribution(total / n_images, n_images)


def margins_of(bench: Bench, output: LayerOutput, target: npt.NDArray[np.bool_] | None) -> Tensor:
    """(n,) margins of the pictures that have a target unit; differentiable.

    Args:
        bench, target: as for :func:`attribute`.
        output: pictures at the dictionary's layer.
    """
    logits = bench.logits(output)
    margin = bench.contrast.margin(logits)
    if bench.probe.task != "segmentation":
        return margin[:, 0]
    where = (
        logits.argmax(dim=-1) == bench.contrast.a
        if target is None
        else torch.from_numpy(target).to(margin.device)
    )
    held = where.any(dim=1)
    return (margin * where).sum(dim=1)[held] / where.sum(dim=1)[held]


def twin_loss(originals: Activity, twins: Activity) -> npt.NDArray[np.float64]:
    """The share of each latent's activation that pictures lose in their counterfactual twins.

    Args:
        originals, twins: measured on the same pictures in both versions.

    Returns:
        (n_latents,): 1 − Σ f(twins) / Σ f(originals); NaN for latents silent on the originals.
    """
    before, after = originals.total, twins.total
    kept = np.full(len(before), np.nan)
    np.divide(after, before, out=kept, where=before > 0)
    return 1.0 - kept
