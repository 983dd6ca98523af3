"""Sets of latents chosen the way people choose them: by ``attribute`` and by ``detect``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import SPECIES
from saecli.experiments.activity import measure
from saecli.experiments.attribution import attribute, twin_loss
from saecli.experiments.detection import Tally
from saecli.experiments.runner import Bench
from tests.benchmarks.sides import BATCH, Pool, Side

TOP = 24  # latents that `attribute` lists
LOST = 0.5  # of a latent's activation: what its pictures' twins must lose

Latents = tuple[int, ...]


def by_attribution(
    bench: Bench, shown: LayerOutput, twins: LayerOutput | None, top: int = TOP
) -> dict[int, float]:
    """The latents on which a margin rests most, with their attributions, in nats.

    With twins only those that leave with the attribute.
    """
    batches = (
        (LayerOutput(tokens, shown.n_prefix), None) for tokens in torch.split(shown.tokens, BATCH)
    )
    found = attribute(bench, batches)
    chosen = [int(i) for i in found.ranked()[:top] if found.values[i] < 0]
    if twins is not None:
        before, after = (measure(bench.dictionary, [part.patches]) for part in (shown, twins))
        lost = twin_loss(before, after)
        chosen = [i for i in chosen if lost[i] > LOST]
    return {i: float(found.values[i]) for i in chosen}


def of_twins(side: Side, pool: Pool, species: str, twin: str, top: int = TOP) -> dict[int, float]:
    """The attribute in which a species differs from its twin, by attribution and twins."""
    return by_attribution(side.bench(species, twin), pool(species), pool(species, twin=True), top)


class Detectors:
    """Finds the latents that detect pictures best, as ``detect`` does; encodes a pool once."""

    def __init__(self, pool: Pool) -> None:
        with torch.no_grad():
            self.largest = torch.cat(
                [
                    pool.side.dictionary.encode(tokens[:, pool(name).n_prefix :]).amax(dim=1)
                    for name in SPECIES
                    for tokens in torch.split(pool(name).tokens, BATCH)
                ]
            )

    def best(self, positive: npt.NDArray[np.bool_], top: int) -> Latents:
        """The best detectors of some of the pool's pictures, species after species."""
        tally = Tally(self.largest.shape[1])
        tally.add(self.largest, torch.from_numpy(positive))
        return tuple(int(i) for i in tally.score().ranked()[:top])
