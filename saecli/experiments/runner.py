"""Running an experiment: every arm on every picture, batch by batch.

The blocks before the edited layer run once per picture; the rest runs once per picture and arm,
several arms in one pass. The baseline and the zero edit each have a pass of their own, of the same
shape, so that they can be compared bit for bit (a matrix product's last bits depend on the shape
of the batch). Memory is that of one pass, however many arms there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.backbones.protocol import Backbone, LayerOutput
from saecli.errors import SaecliError
from saecli.experiments.arms import Arm, Encoded, LatentArm, ZeroArm
from saecli.experiments.margins import Contrast
from saecli.experiments.prefixes import Prefixes
from saecli.experiments.probes import Probe
from saecli.sae.model import Dictionary

ROWS = 32  # pictures times arms in one pass: enough to fill a processor, little memory

Figures = dict[str, npt.NDArray[Any]]
"""What one picture gave, by name. Per row (baseline, zero edit, then the arms in order), (n_rows,):

``margin`` float64, of the picture or the mean over its target patches; ``margin_other`` float64,
mean over its other patches (NaN without such); ``predicted`` int32 class (−1 in segmentation);
``left``, ``gained`` int32: of the target units predicted A before, how many no longer are, and how
many now are B; ``changed_target``, ``changed_other`` int32: units whose predicted class changed.
A unit is a picture, or in segmentation a patch.

Per picture: ``n_target``, ``n_other``, ``n_a`` (1,) int32: units, and target units predicted A
before; ``probabilities`` (2, n_classes) float32: mean over the target units before and under the
target edit; ``residual`` (2,) float64: Σ f of the edited latents over the edited patches, before
and encoded again after; ``edit_norm`` (2,) float64: Σ ‖edit‖ and the number of edited patches;
``zero_difference`` (1,) float64: largest difference of a logit under the zero edit.
"""


@dataclass(frozen=True)
class Bench:
    """What is tested, on one device: the network, the latents' dictionary, and the probe."""

    backbone: Backbone
    dictionary: Dictionary
    probe: Probe
    contrast: Contrast

    def check(self) -> None:
        """Return if dictionary and probe belong to the backbone.

        Raises:
            SaecliError: naming what doesn't fit, or if A and B are one class.
        """
        self.dictionary.check_fits(self.backbone)
        self.probe.check_fits(self.backbone)
        if self.contrast.a == self.contrast.b:
            raise SaecliError(
                f"'{self.probe.classes[self.contrast.a]}' is compared with itself",
                "expect another class than the one that is suppressed",
            )

    @property
    def layer(self) -> int:
        return self.dictionary.identity.layer

    def logits(self, output: LayerOutput) -> Tensor:
        """(B, U, n_classes) from the edited layer on; U = 1 unit, or the patches."""
        final = self.backbone.resume(output, self.layer, patches=self.probe.reads_patches)
        logits = self.probe.logits(final)
        return logits if logits.ndim == 3 else logits[:, None]

    def figures_of(self, output: LayerOutput) -> Tensor:
        """The same on the CPU in float32: not every device can count in float64."""
        return self.logits(output).float().cpu()


@dataclass(frozen=True, eq=False)
class Regions:
    """Which patches of each picture are A, and which others count (segmentation).

    Args:
        target, other: (n_images, P) bool, from :func:`saecli.experiments.margins.target_patches`.
    """

    target: npt.NDArray[np.bool_]
    other: npt.NDArray[np.bool_]


def rows(arms: Sequence[Arm]) -> list[tuple[str, int]]:
    """(kind, number) of each row of the figures."""
    return [("baseline", 0), ("zero_edit", 0), *((arm.kind, arm.number) for arm in arms)]


def run(
    bench: Bench,
    arms: Sequence[Arm],
    prefixes: Prefixes,
    *,
    on_pictures: Callable[[dict[int, Figures]], None],
    regions: Regions | None = None,
    twins: Prefixes | None = None,
    done: Collection[int] = (),
) -> None:
    """Run all arms on the pictures that are not done.

    Args:
        arms: the target edit (a :class:`LatentArm` of kind ``target``) first, then the others.
        prefixes: the pictures.
        on_pictures: called after each batch with its figures by position; what it has stored is
            kept when the run is interrupted.
        regions: for segmentation with masks; without, target patches are those predicted A.
        twins: the pictures' counterfactual twins in the same batches, for a twin arm.
        done: positions that earlier calls have given. A batch is run again if any of its pictures
            is missing, so that a resumed run's figures equal an uninterrupted one's.

    Raises:
        SaecliError: if the parts of the bench don't belong together.
    """
    target = arms[0]
    if not isinstance(target, LatentArm) or target.kind != "target":
        raise ValueError("the first arm is the target edit")
    bench.check()
    zero = ZeroArm(target)
    finished = set(done)
    for number in range(len(prefixes)):
        positions = prefixes.positions(number)
        missing = [int(position) for position in positions if int(position) not in finished]
        if not missing:
            continue
        with torch.no_grad():
            twin = twins[number] if twins is not None else None
            batch = Encoded.of(bench.dictionary, prefixes[number], twin)
            found = _run_batch(bench, target, zero, arms, batch, positions, regions)
        on_pictures({position: found[position] for position in missing})


def _run_batch(
    bench: Bench,
    target: LatentArm,
    zero: ZeroArm,
    arms: Sequence[Arm],
    batch: Encoded,
    positions: npt.NDArray[np.int64],
    regions: Regions | None,
) -> dict[int, Figures]:
    baseline = bench.figures_of(batch.output)
    still = bench.figures_of(zero.apply(batch))
    units = _Units.of(bench, baseline, positions, regions)
    parts = [units.measure(baseline[None]), units.measure(still[None])]
    n = len(positions)
    step = max(1, ROWS // n)
    for start in range(0, len(arms), step):
        outputs = [arm.apply(batch) for arm in arms[start : start + step]]
        joined = LayerOutput(torch.cat([o.tokens for o in outputs]), batch.output.n_prefix)
        logits = bench.figures_of(joined)
        parts.append(units.measure(logits.view(len(outputs), n, *logits.shape[1:])))
        if start == 0:
            after = logits[:n]
            _check_finite(after, target)
    per_row = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    per_picture = {
        **units.counts(),
        "probabilities": np.stack([units.probabilities(baseline), units.probabilities(after)], 1),
        "zero_difference": _largest(still - baseline),
        **_aftermath(target, batch),
    }
    return {
        int(position): {
            **{name: values[:, i] for name, values in per_row.items()},
            **{name: values[i] for name, values in per_picture.items()},
        }
        for i, position in enumerate(positions)
    }


def _check_finite(logits: Tensor, target: LatentArm) -> None:
    if not torch.isfinite(logits).all():
        raise SaecliError(
            f"under {target.edit.value} the network gives values that are no numbers",
            "choose a smaller value",
        )


@dataclass(frozen=True, eq=False)
class _Units:
    """The units of a batch of pictures: which are A's, and what was predicted of them before."""

    contrast: Contrast
    target: Tensor  # (b, U) bool
    other: Tensor  # (b, U) bool
    before: Tensor  # (b, U) int64
    segmentation: bool

    @classmethod
    def of(
        cls,
        bench: Bench,
        baseline: Tensor,
        positions: npt.NDArray[np.int64],
        regions: Regions | None,
    ) -> _Units:
        before = baseline.argmax(dim=-1)
        segmentation = bench.probe.task == "segmentation"
        if not segmentation:
            target = torch.ones_like(before, dtype=torch.bool)
            other = ~target
        elif regions is None:
            target = before == bench.contrast.a
            other = ~target
        else:
            target = torch.from_numpy(regions.target[positions])
            other = torch.from_numpy(regions.other[positions])
        return cls(bench.contrast, target, other, before, segmentation)

    def measure(self, logits: Tensor) -> Figures:
        """Per-row figures (a, b) of logits (a, b, U, n_classes)."""
        margin = self.contrast.margin(logits).double()
        after = logits.argmax(dim=-1)
        was_a = self.target & (self.before == self.contrast.a)
        changed = after != self.before
        nowhere = torch.zeros_like(changed)
        picture = after[..., 0] if not self.segmentation else torch.full_like(after[..., 0], -1)
        found = {
            "margin": _mean(margin, self.target),
            "margin_other": _mean(margin, self.other),
            "predicted": picture.int(),
            "left": _count(was_a & (after != self.contrast.a)),
            "gained": _count(
                was_a & (after == self.contrast.b) if self.contrast.b is not None else nowhere
            ),
            "changed_target": _count(self.target & changed),
            "changed_other": _count(self.other & changed),
        }
        return {name: value.numpy() for name, value in found.items()}

    def counts(self) -> Figures:
        was_a = self.target & (self.before == self.contrast.a)
        found = {"n_target": self.target, "n_other": self.other, "n_a": was_a}
        return {name: _count(where)[:, None].numpy() for name, where in found.items()}

    def probabilities(self, logits: Tensor) -> npt.NDArray[np.float32]:
        """(b, n_classes), mean over the target units."""
        p = logits.softmax(dim=-1)
        weight = self.target / self.target.sum(dim=1, keepdim=True).clamp_min(1)
        found: npt.NDArray[np.float32] = (p * weight[..., None]).sum(dim=1).numpy()
        return found


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the last axis where true; NaN where nowhere."""
    total = torch.where(where, values, 0.0).sum(dim=-1)
    return total / where.sum(dim=-1)


def _count(where: Tensor) -> Tensor:
    return where.sum(dim=-1, dtype=torch.int32)


def _largest(difference: Tensor) -> npt.NDArray[np.float64]:
    largest: npt.NDArray[np.float64] = difference.abs().amax(dim=(1, 2)).double().numpy()
    return largest[:, None]


def _aftermath(target: LatentArm, batch: Encoded) -> Figures:
    """How large the edit was, and what is left of the latents when x' is encoded again."""
    move, latents = batch.move(target), list(target.edit.latents)
    x, f = batch.x.flatten(0, 1)[move.places], batch.f.flatten(0, 1)[move.places][:, latents]
    after = target.dictionary.encode(x + move.displacement)[:, latents]
    norm = torch.linalg.vector_norm(move.displacement, dim=-1)
    figures = torch.stack([f.sum(-1), after.sum(-1), norm, torch.ones_like(norm)], dim=1)
    picture = move.places // batch.x.shape[1]
    sums = torch.zeros(len(batch.x), 4, dtype=norm.dtype, device=norm.device)
    found = sums.index_add_(0, picture, figures).cpu().double().numpy()
    return {"residual": found[:, :2], "edit_norm": found[:, 2:]}
