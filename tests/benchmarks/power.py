"""Which true attributes come out *supported*, of those where the network lets them be tested."""

from __future__ import annotations

from typing import Any

import numpy as np

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import SPECIES
from tests.benchmarks.experiment import experiment
from tests.benchmarks.selection import Latents, candidates
from tests.benchmarks.sides import Pool, Side

APART = 0.8  # share of pictures of either twin whose own logit is the larger
FLIPS = 0.5  # share of predictions that the twin's patches turn into the twin
TRIED, ELSEWHERE, CONTROLS = 20, 60, 19  # pictures, others and controls of an exploration
UNSPECIFIC = 1_000.0  # puts sets that are not specific behind all others


def told_apart(side: Side, test: Pool, species: str) -> float:
    """How well the probe tells a pair apart: the worse of the two species."""
    shares = []
    for name in (species, SPECIES[species].twin):
        logits = side.logits(test(name))
        own, other = side.probe.index(name), side.probe.index(SPECIES[name].twin)
        shares.append(float((logits[:, own] > logits[:, other]).float().mean()))
    return min(shares)


def swapped(side: Side, test: Pool, species: str) -> float:
    """Share of the predictions of a species that become its twin's with the twin's patches."""
    own, other = test(species), test(species, twin=True)
    before = side.logits(own).argmax(dim=-1)
    after = side.logits(own.with_patches(other.patches)).argmax(dim=-1)
    right = before == side.probe.index(species)
    became = after[right] == side.probe.index(SPECIES[species].twin)
    return float(became.float().mean()) if right.any() else 0.0


def testable(side: Side, test: Pool) -> list[str]:
    """The species that the probe tells from their twins."""
    return [name for name in SPECIES if told_apart(side, test, name) >= APART]


def explore(side: Side, selection: Pool, species: str) -> tuple[Latents, float]:
    """The set that stands out most on the pictures that choose it, and how far it does.

    Each candidate is tried as an experiment of few controls. It stands out by the distance of its
    effect from the controls' mean in their standard deviations, of the kind where this is smaller;
    a set that is not specific there comes last.
    """
    shown, rng = first(selection(species), TRIED), np.random.default_rng(0)
    elsewhere = selection.others(species, ELSEWHERE, rng)
    best: tuple[Latents, float] = ((), -np.inf)
    for latents in candidates(side, selection, species):
        twin = SPECIES[species].twin
        tried = experiment(
            side, species, twin, latents, shown, elsewhere, n_controls=CONTROLS, seed=1
        )
        if "refused" in tried:
            continue
        apart = [
            (mean - tried["effect"]) / max(spread, 1e-6)
            for mean, spread in tried["controls"].values()
        ]
        clarity = min(apart) - UNSPECIFIC * ("not_specific" in tried["reasons"])
        if clarity > best[1]:
            best = latents, clarity
    return best


def power_of(
    side: Side,
    selection: Pool,
    test: Pool,
    elsewhere: LayerOutput,
    species: str,
    n: int,
    controls: int,
) -> dict[str, Any]:
    """Test one species' attribute, chosen and explored on other pictures, against its twin.

    Args:
        elsewhere: pictures of other species.
        n: pictures to test on.
        controls: of each kind.
    """
    bird = SPECIES[species]
    told: dict[str, Any] = {
        "class": species,
        "expect": bird.twin,
        "attribute": f"{bird.attributes[bird.attribute]} {bird.attribute}",
        "told_apart": told_apart(side, test, species),
        "swapped": swapped(side, test, species),
    }
    told["eligible"] = told["told_apart"] >= APART and told["swapped"] >= FLIPS
    if not told["eligible"]:
        return told
    chosen, clarity = explore(side, selection, species)
    told |= {"latents": list(chosen), "clarity": clarity}
    if not chosen:
        return told | {"verdict": "none chosen", "reasons": ["no latent leaves with the attribute"]}
    return told | experiment(
        side,
        species,
        bird.twin,
        chosen,
        first(test(species), n),
        elsewhere,
        n_controls=controls,
        seed=0,
        twins=first(test(species, twin=True), n),
    )


def first(output: LayerOutput, n: int) -> LayerOutput:
    return LayerOutput(output.tokens[:n], output.n_prefix)
