"""Specificity in segmentation: what changes in the ground that is knocked out, and elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import CLASSES, GROUNDS, Picture, render
from saecli.experiments.arms import Arm
from saecli.experiments.controls import random_directions
from saecli.experiments.margins import Contrast, target_patches
from saecli.experiments.results import Results
from saecli.experiments.runner import Bench, Figures, Regions, rows, run
from tests.benchmarks.experiment import Batches, target_arm
from tests.benchmarks.selection import by_attribution
from tests.benchmarks.sides import BATCH, SPECIES_APART, Side

UNLABELLED = 0
RANDOM = 5  # directions of the same size beside each edit

Masks = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


def landscapes(ground: str, seed: int, n: int) -> list[Picture]:
    """Landscapes whose main ground is this one."""
    first = (100 + GROUNDS.index(ground)) * SPECIES_APART
    return [
        render(seed, first + i, kind="landscape", counterfactual={"habitat": ground})
        for i in range(n)
    ]


def shares(side: Side, pictures: list[Picture]) -> npt.NDArray[np.float64]:
    """(n, P, n_classes): the share of each class in each patch."""
    geometry, grid = side.backbone.geometry, side.backbone.grid
    return np.stack(
        [
            geometry.patch_shares(Image.fromarray(picture.mask, mode="L"), len(CLASSES), grid)
            for picture in pictures
        ]
    )


class Grounds:
    """Landscapes of every ground, recorded, with the truth about their patches.

    Args:
        side: with a segmentation probe.
        seed: of the world.
        n: pictures of each ground.
    """

    def __init__(self, side: Side, seed: int, n: int) -> None:
        self.side = side
        self.outputs: dict[str, LayerOutput] = {}
        self._shares: dict[str, npt.NDArray[np.float64]] = {}
        for ground in GROUNDS:
            pictures = landscapes(ground, seed, n)
            self.outputs[ground] = side.record(pictures)
            self._shares[ground] = shares(side, pictures)

    def truth(self, of: str, ground: str) -> Masks:
        """Which patches of the landscapes of one ground are a ground, and which others count."""
        return target_patches(self._shares[of], CLASSES.index(ground), UNLABELLED)

    def carriers(self, bench: Bench, ground: str) -> tuple[int, ...]:
        """The latents on which the ground's margin rests most, on its patches."""
        output, (target, _) = self.outputs[ground], self.truth(ground, ground)
        pictures = (
            (LayerOutput(tokens, output.n_prefix), target[start * BATCH : (start + 1) * BATCH])
            for start, tokens in enumerate(torch.split(output.tokens, BATCH))
        )
        return by_attribution(bench, pictures)


def specificity(side: Side, chosen: Grounds, test: Grounds, ground: str) -> dict[str, Any]:
    """Knock out what carries a ground: shares of patches that change, in it and elsewhere."""
    bench = Bench(side.backbone, side.dictionary, side.probe, Contrast(side.probe.index(ground)))
    latents = chosen.carriers(bench, ground)
    target = target_arm(side, latents)
    arms: list[Arm] = [target, *random_directions(target, RANDOM, seed=0)]
    pictures: dict[int, Figures] = {}
    with torch.no_grad():
        run(
            bench,
            arms,
            Batches(test.outputs[ground]),  # type: ignore[arg-type]
            on_pictures=pictures.update,
            regions=Regions(*test.truth(ground, ground)),
        )
    found = Results.of(rows(arms), pictures)
    ((inside, outside),) = found.changed("target")
    ((inside_interval, outside_interval),) = found.changed_intervals("target", seed=0)
    pushed = np.array(found.changed("random_directions"))
    return {
        "ground": ground,
        "latents": list(latents),
        "n_images": found.n_images,
        "inside": inside,
        "inside_interval": list(inside_interval),
        "outside": outside,
        "outside_interval": list(outside_interval),
        "ratio": inside / outside if outside else None,
        "random_inside": float(pushed[:, 0].mean()),
        "random_outside": float(pushed[:, 1].mean()),
    }
