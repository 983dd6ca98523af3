"""Sets of latents chosen the way people choose them: by ``attribute`` and by ``detect``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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

TOP = 12  # latents of a set, at most
SIZES = (3, 6, 12)  # of the sets that are tried before one is tested
CARRIES = 0.1  # of the strongest one's attribution: what each of a set has at least
LOST = 0.5  # of a latent's activation: what leaves with an attribute

Latents = tuple[int, ...]


def losses(side: Side, pool: Pool, species: str) -> npt.NDArray[np.float64]:
    """(n_latents,) share of each latent's activation that a species' pictures' twins lose.

    0 for latents silent on the pictures, and for those that fire more on the twins.
    """
    parts = (pool(species), pool(species, twin=True))
    before, after = (measure(side.dictionary, [part.patches]) for part in parts)
    return np.clip(np.nan_to_num(twin_loss(before, after)), 0.0, 1.0)


def by_attribution(
    bench: Bench,
    pictures: Iterable[tuple[LayerOutput, npt.NDArray[np.bool_] | None]],
    lost: npt.NDArray[np.float64] | None = None,
) -> Latents:
    """The latents on which a margin rests most, the strongest first.

    Args:
        pictures: batches, with their target patches in segmentation.
        lost: from :func:`losses`; then it is the part of the attribution that leaves with the
            attribute that counts.
    """
    values = attribute(bench, pictures).values
    if lost is not None:
        values = values * lost
    chosen = np.argsort(values, kind="stable")[:TOP]
    least = min(CARRIES * float(values.min()), 0.0)
    return tuple(int(i) for i in chosen if values[i] < least)


def batches(output: LayerOutput) -> Iterator[tuple[LayerOutput, None]]:
    """Pictures for :func:`by_attribution`."""
    for tokens in torch.split(output.tokens, BATCH):
        yield LayerOutput(tokens, output.n_prefix), None


def of_twins(side: Side, pool: Pool, species: str, *, strict: bool = False) -> Latents:
    """The attribute in which a species differs from its twin, by attribution and twins.

    With ``strict`` a latent must lose more than :data:`LOST` of its activation.
    """
    bench, lost = side.bench(species, SPECIES[species].twin), losses(side, pool, species)
    return by_attribution(
        bench, batches(pool(species)), (lost > LOST).astype(np.float64) if strict else lost
    )


def candidates(side: Side, pool: Pool, species: str) -> list[Latents]:
    """Sets for a species' attribute: few or more latents, all that leave in part or in the main."""
    wholes = [of_twins(side, pool, species, strict=strict) for strict in (False, True)]
    return list(dict.fromkeys(whole[:size] for whole in wholes for size in SIZES if whole))


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
