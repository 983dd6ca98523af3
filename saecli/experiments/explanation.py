"""One picture explained: which of its latents the prediction rests on, by slope and by knock-out.

The slope (:mod:`saecli.experiments.attribution`) ranks all latents at the price of one backward
pass, but it is only the first-order part of what a knock-out does. So the knock-outs themselves
are run for latents of every rank, and the rank correlation of both says how far the ranking can
be trusted on this very picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats
import torch

from saecli.backbones.protocol import LayerOutput
from saecli.errors import SaecliError
from saecli.experiments.arms import Encoded, LatentArm
from saecli.experiments.attribution import margins_of
from saecli.experiments.gradcam import grad_cam
from saecli.experiments.interventions import Edit, Scope, Value
from saecli.experiments.runner import ROWS, Bench

MOST_CHECKED = 256  # knock-outs of a picture; a patch of 1,000 active latents would cost a minute
FEWEST_RANKED = 3  # latents below which a rank correlation says nothing


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the prediction of one picture rests on.

    Attributes:
        margin: of class A, in nats: of the picture, or the mean over its target patches.
        probability: of class A by softmax, likewise.
        ranked: latents active on the patches looked at, those whose suppression would lower the
            margin most first, ties by lower index.
        attributions: (len(ranked),) float64, predicted change of the margin in nats.
        effects: (len(ranked),) float64, its change when the latent is really set to 0 on these
            patches; NaN where that was not run.
        rank_correlation: Spearman's, over the latents that were run; NaN where it is undefined.
        grad_cam: (P,), of class A at the same layer.
    """

    margin: float
    probability: float
    ranked: tuple[int, ...]
    attributions: npt.NDArray[np.float64]
    effects: npt.NDArray[np.float64]
    rank_correlation: float
    grad_cam: npt.NDArray[np.float64]

    @property
    def n_checked(self) -> int:
        """How many latents were really knocked out."""
        return int(np.isfinite(self.effects).sum())

    @property
    def strongest(self) -> int | None:
        """The rank (from 0) of the latent whose knock-out lowers the margin most, if one does."""
        if not self.n_checked or not np.nanmin(self.effects) < 0:
            return None
        return int(np.nanargmin(self.effects))

    def listed(self, most: int) -> list[int]:
        """Ranks to report, ascending: the first that speak for the class, and the strongest.

        A latent that the network only needs once another is gone has hardly a slope; that of the
        strongest knock-out is therefore listed wherever its slope ranks it.
        """
        ranks = [rank for rank, value in enumerate(self.attributions[:most]) if value < 0]
        if self.strongest is not None and self.strongest not in ranks:
            ranks.append(self.strongest)
        return ranks


def explain(
    bench: Bench,
    output: LayerOutput,
    patches: Sequence[int],
    *,
    listed: int,
    most_checked: int = MOST_CHECKED,
    on_checked: Callable[[int], None] = lambda n: None,
) -> Explanation:
    """Explain the margin of a class (over another) on one picture.

    Args:
        bench: network, dictionary, probe and classes.
        output: the one picture at the dictionary's layer.
        patches: those looked at: latents are set to 0 there, and in segmentation the margin is
            the mean over those of them that are predicted A.
        listed: so many of the ranking's first latents are checked in any case.
        most_checked: beyond these, latents evenly spread over the ranks, up to so many in all.
        on_checked: called with the number of knock-outs that were run.

    Raises:
        SaecliError: if the parts don't belong together, or no patch is predicted A.
    """
    bench.check()
    Edit((0,), Value("ablate"), "all").check(bench.dictionary)
    inside = np.zeros(output.patches.shape[1], dtype=bool)
    inside[list(patches)] = True
    with torch.no_grad():
        logits = bench.logits(output)
        target = _target(bench, logits, inside)
        p = logits.softmax(dim=-1)[0, :, bench.contrast.a].cpu().double().numpy()
        batch = Encoded.of(bench.dictionary, output)
        margin = float(margins_of(bench, output, target)[0])
    slopes = _slopes(bench, output, target, batch, inside)
    active = np.flatnonzero((batch.f[0] != 0).cpu().numpy()[inside].any(axis=0))
    ranked = active[np.argsort(slopes[active], kind="stable")]
    checked = _spread(len(ranked), listed, most_checked)
    scope: Scope = "all" if inside.all() else tuple(int(patch) for patch in np.flatnonzero(inside))
    effects = np.full(len(ranked), np.nan)
    effects[checked] = _knocked_out(bench, batch, ranked[checked], scope, target, on_checked)
    return Explanation(
        margin=margin,
        probability=float(p.mean() if target is None else p[target[0]].mean()),
        ranked=tuple(int(latent) for latent in ranked),
        attributions=slopes[ranked],
        effects=effects,
        rank_correlation=_spearman(slopes[ranked[checked]], effects[checked]),
        grad_cam=grad_cam(bench, output, target)[0],
    )


def _target(
    bench: Bench, logits: torch.Tensor, inside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_] | None:
    """(1, P) patches whose margin counts; None where the picture's does."""
    if bench.probe.task != "segmentation":
        return None
    predicted = logits.argmax(dim=-1).cpu().numpy() == bench.contrast.a
    target: npt.NDArray[np.bool_] = predicted & inside
    if not target.any():
        raise SaecliError(
            f"no patch looked at is predicted '{bench.probe.classes[bench.contrast.a]}'",
            "name a class that is predicted there, or look at other patches",
        )
    return target


def _slopes(
    bench: Bench,
    output: LayerOutput,
    target: npt.NDArray[np.bool_] | None,
    batch: Encoded,
    inside: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """(n_latents,) attributions over the patches looked at."""
    dictionary = bench.dictionary
    x = output.patches.detach().requires_grad_(True)
    with torch.enable_grad():
        margin = margins_of(bench, output.with_patches(x), target)
        (gradient,) = torch.autograd.grad(margin.sum(), x)
    with torch.no_grad():
        where = torch.from_numpy(inside).to(gradient.device)
        along = dictionary.scale * (gradient[0, where].to(dictionary.dtype) @ dictionary.W_dec.T)
        moved: npt.NDArray[np.float64] = (
            (-batch.f[0, where] * along).sum(dim=0).cpu().double().numpy()
        )
    return moved


def _spread(n: int, first: int, most: int) -> npt.NDArray[np.int64]:
    """Ranks to check: all, or the first ones and others at even steps down to the last."""
    if n <= most:
        return np.arange(n)
    first = min(first, most)
    return np.concatenate(
        [np.arange(first), np.linspace(first, n - 1, most - first).round().astype(np.int64)]
    )


def _knocked_out(
    bench: Bench,
    batch: Encoded,
    latents: npt.NDArray[np.int64],
    scope: Scope,
    target: npt.NDArray[np.bool_] | None,
    on_checked: Callable[[int], None],
) -> npt.NDArray[np.float64]:
    """Change of the margin for each latent set to 0, against the picture as it is.

    The unedited picture runs in every pass: products of another shape differ in their last bits.
    """
    effects = []
    for start in range(0, len(latents), ROWS - 1):
        part = latents[start : start + ROWS - 1]
        with torch.no_grad():
            edited = [
                LatentArm(
                    "target",
                    0,
                    bench.dictionary,
                    Edit((int(latent),), Value("ablate"), scope),
                    torch.zeros(1),
                ).apply(batch)
                for latent in part
            ]
            tokens = torch.cat([batch.output.tokens, *(one.tokens for one in edited)])
            rows = None if target is None else target.repeat(len(tokens), axis=0)
            margins = margins_of(bench, LayerOutput(tokens, batch.output.n_prefix), rows)
        found = margins.cpu().double().numpy()
        effects.append(found[1:] - found[0])
        on_checked(len(part))
    return np.concatenate(effects) if effects else np.zeros(0)


def _spearman(predicted: npt.NDArray[np.float64], measured: npt.NDArray[np.float64]) -> float:
    constant = any(len(set(values)) < 2 for values in (predicted, measured))
    if len(predicted) < FEWEST_RANKED or constant:
        return float("nan")
    return float(scipy.stats.spearmanr(predicted, measured).statistic)
