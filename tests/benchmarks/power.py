"""Which true attributes come out *supported*, of those where the network lets them be tested."""

from __future__ import annotations

from typing import Any

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import SPECIES
from tests.benchmarks.experiment import experiment
from tests.benchmarks.selection import of_twins
from tests.benchmarks.sides import Pool, Side

APART = 0.8  # share of pictures of either twin whose own logit is the larger
FLIPS = 0.5  # share of predictions that the twin's patches turn into the twin


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


def power_of(
    side: Side,
    selection: Pool,
    test: Pool,
    elsewhere: LayerOutput,
    species: str,
    n: int,
    controls: int,
) -> dict[str, Any]:
    """Test one species' attribute, chosen on other pictures, against its twin.

    ``predicted`` is the sum of the chosen latents' attributions, on the pictures that chose them.

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
    chosen = of_twins(side, selection, species)
    told |= {"latents": list(chosen), "predicted": sum(chosen.values())}
    if not chosen:
        return told | {"verdict": "none chosen", "reasons": ["no latent leaves with the attribute"]}
    return told | experiment(
        side,
        species,
        bird.twin,
        tuple(chosen),
        _first(test(species), n),
        elsewhere,
        n_controls=controls,
        seed=0,
        twins=_first(test(species, twin=True), n),
    )


def _first(output: LayerOutput, n: int) -> LayerOutput:
    return LayerOutput(output.tokens[:n], output.n_prefix)
