"""Null experiments: sets of latents that have nothing to do with the prediction under test.

The truth is the world's: a picture's counterfactual twin shows which latents leave with the
attribute that alone tells the two species apart. A choice made for something else may hold such
latents by chance, and is then no null; they are taken out of it, or kept in the ``raw`` part. That
a latent loses a quarter of its activation is enough: with half as the bound, sets for another
attribute had p ≤ 0.05 in 31 of 338 experiments, for sets like the hooded warbler's black ones, 47 %
of whose activation goes when bars cover its black wing, and whose suppression does lower its margin
by more than all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import SPECIES
from saecli.errors import SaecliError
from saecli.experiments.activity import measure
from saecli.experiments.controls import ControlSettings, match_latents
from saecli.experiments.influence import influence
from saecli.experiments.margins import Contrast
from saecli.experiments.probes import Probe, read
from saecli.experiments.runner import Bench
from tests.benchmarks.experiment import experiment, target_arm
from tests.benchmarks.selection import (
    Detectors,
    Latents,
    batches,
    by_attribution,
    losses,
    of_twins,
)
from tests.benchmarks.sides import Pool, Side

RIDGE = 1e-2  # of the heads for permuted labels, on standardised features
DETECTED = 5  # latents that `detect` lists
PART = 0.25  # of its activation: what a latent loses that goes with an attribute
FIRES = 20  # patches of a species' pictures, from which a latent can be said to leave with it

Made = tuple[str, Latents]
"""The species under test, and the set."""


class Nulls:
    """Makes and tests null sets on one side.

    Args:
        side: the backbone with its dictionary and probe.
        selection: pictures that choose latents.
        test: pictures that test them; other ones.
        species: those whose pairs the probe tells apart.
        raw: whether a set keeps those latents that leave with the tested attribute itself. With
            them it is no null: suppressing them does lower the prediction.
    """

    def __init__(
        self, side: Side, selection: Pool, test: Pool, species: list[str], raw: bool = False
    ) -> None:
        self.side, self.selection, self.test, self.species = side, selection, test, species
        self.raw = raw
        self._concepts: dict[str, Latents] = {}
        self._truths: dict[str, frozenset[int]] = {}
        self._features: list[torch.Tensor] | None = None

    @cached_property
    def detectors(self) -> Detectors:
        return Detectors(self.selection)

    def concept(self, species: str) -> Latents:
        """The true set of a species' attribute."""
        if species not in self._concepts:
            self._concepts[species] = of_twins(self.side, self.selection, species)
        return self._concepts[species]

    def truth(self, species: str) -> frozenset[int]:
        """Every latent that leaves with a species' attribute, whatever it does to the margin."""
        if species not in self._truths:
            fires = measure(self.side.dictionary, [self.selection(species).patches]).n_active
            gone = (losses(self.side, self.selection, species) > PART) & (fires >= FIRES)
            self._truths[species] = frozenset(int(i) for i in np.flatnonzero(gone))
        return self._truths[species]

    def like_controls(self, rng: np.random.Generator) -> Made | None:
        """Latents drawn as the controls of a true set are: as frequent and strong, no siblings."""
        a = self._any(rng)
        true = self.concept(a)
        size = int(rng.integers(1, len(true) + 1)) if true else 0
        if not size:
            return None
        chosen = tuple(int(i) for i in rng.choice(true, size, replace=False))
        shown, seed = self.test(a), int(rng.integers(2**31))
        bench = self.side.bench(a, SPECIES[a].twin)
        sets = match_latents(
            measure(self.side.dictionary, [shown.patches]),
            self.side.signature,
            chosen,
            seed=seed,
            settings=ControlSettings(n=1),
            influence=influence(bench, target_arm(self.side, chosen), [shown], seed=seed),
        )
        return a, tuple(int(i) for i in sets[0])

    def attribute_permuted(self, rng: np.random.Generator) -> Made | None:
        """A head for permuted labels, and the latents that its margin rests on."""
        names, n = list(SPECIES), self.selection.n
        labels = rng.permutation(np.repeat(np.arange(len(names)), n))
        head = self._ridge(labels)
        a = self._any(rng)
        contrast = Contrast(head.index(a), head.index(SPECIES[a].twin))
        bench = Bench(self.side.backbone, self.side.dictionary, head, contrast)
        shown = self._labelled(labels == names.index(a))
        return a, by_attribution(bench, batches(shown))

    def detect_permuted(self, rng: np.random.Generator) -> Made | None:
        """The best detectors of pictures whose label was permuted."""
        names, n = list(SPECIES), self.selection.n
        labels = rng.permutation(np.repeat(np.arange(len(names)), n))
        a = self._any(rng)
        return a, self.detectors.best(labels == names.index(a), DETECTED)

    def attribute_other(self, rng: np.random.Generator) -> Made | None:
        """The true set of another attribute with another colour."""
        a = self._any(rng)
        others = [name for name in self.species if _unrelated(a, name)]
        c = others[int(rng.integers(len(others)))]
        return a, self.concept(c)

    def detect_other(self, rng: np.random.Generator) -> Made | None:
        """The best detectors of birds with another attribute in another colour."""
        a = self._any(rng)
        others = [name for name in self.species if _unrelated(a, name)]
        bird = SPECIES[others[int(rng.integers(len(others)))]]
        value = bird.attributes[bird.attribute]
        has = [one.attributes[bird.attribute] == value for one in SPECIES.values()]
        return a, self.detectors.best(np.repeat(has, self.selection.n), DETECTED)

    def strongest(self, rng: np.random.Generator) -> Made | None:
        """The first latent of one of the choices above that doesn't go with the attribute."""
        makers = list(PIPELINES.values())
        made = makers[int(rng.integers(len(makers)))](self, rng)
        if made is None:
            return None
        a, chosen = made
        return a, tuple(i for i in chosen if self.raw or i not in self.truth(a))[:1]

    def experiment(
        self, made: Made, rng: np.random.Generator, n_images: int, n_controls: int
    ) -> dict[str, Any]:
        """Test a set on fresh pictures."""
        a, chosen = made
        twin, true = SPECIES[a].twin, self.truth(a)
        latents = chosen if self.raw else tuple(i for i in chosen if i not in true)
        if not latents:
            return {"refused": "no latent is left without those of the attribute itself"}
        told = experiment(
            self.side,
            a,
            twin,
            latents,
            self.test.some(a, n_images, rng),
            self.test.others(a, n_images, rng),
            n_controls=n_controls,
            seed=int(rng.integers(2**31)),
        )
        shared = sorted(set(chosen) & true)
        return {"class": a, "expect": twin, "latents": list(latents), "shared": shared, **told}

    def _any(self, rng: np.random.Generator) -> str:
        return self.species[int(rng.integers(len(self.species)))]

    def _ridge(self, labels: np.ndarray) -> Probe:
        """A head in closed form: least squares on the labels, features standardised."""
        x, probe = torch.cat(self._final()).double(), self.side.probe
        mean, spread = x.mean(dim=0), x.std(dim=0).clamp_min(1e-6)
        z = (x - mean) / spread
        y = torch.nn.functional.one_hot(torch.from_numpy(labels), len(SPECIES)).double()
        gram = z.T @ z / len(z) + RIDGE * torch.eye(z.shape[1], dtype=z.dtype)
        weight = torch.linalg.solve(gram, z.T @ (y - y.mean(dim=0)) / len(z)) / spread[:, None]
        bias = y.mean(dim=0) - mean @ weight
        return Probe(
            "classification",
            tuple(SPECIES),
            weight.float(),
            bias.float(),
            probe.reads,
            probe.backbone_digest,
        )

    def _final(self) -> list[torch.Tensor]:
        """What the head reads of every selection picture."""
        if self._features is None:
            self._features = []
            for name in SPECIES:
                for tokens in torch.split(self.selection(name).tokens, 32):
                    with torch.no_grad():
                        final = self.side.backbone.resume(
                            LayerOutput(tokens, self.selection(name).n_prefix), self.side.layer
                        )
                    self._features.append(read(final, self.side.probe.reads))
        return self._features

    def _labelled(self, chosen: np.ndarray) -> LayerOutput:
        """The selection pictures at some places of all."""
        parts = [self.selection(name) for name in SPECIES]
        tokens = [
            part.tokens[torch.from_numpy(where)]
            for part, where in zip(parts, chosen.reshape(len(parts), self.selection.n), strict=True)
        ]
        return LayerOutput(torch.cat(tokens), parts[0].n_prefix)


def _unrelated(a: str, c: str) -> bool:
    """Whether what is special about a species is another part and another colour than a's pair."""
    first, second = SPECIES[a], SPECIES[c]
    value = second.attributes[second.attribute]
    pair = {first.attributes[first.attribute], SPECIES[first.twin].attributes[first.attribute]}
    return second.attribute != first.attribute and value not in pair and value != "none"


PIPELINES: dict[str, Callable[[Nulls, np.random.Generator], Made | None]] = {
    "attribute-permuted": Nulls.attribute_permuted,
    "attribute-other": Nulls.attribute_other,
    "detect-permuted": Nulls.detect_permuted,
    "detect-other": Nulls.detect_other,
}


def null(
    nulls: Nulls,
    make: Callable[[Nulls, np.random.Generator], Made | None],
    seed: tuple[int, ...],
    n_images: int,
    n_controls: int,
) -> dict[str, Any]:
    """Choose a set and test it; where either is refused, the sentence."""
    rng = np.random.default_rng(seed)
    try:
        made = make(nulls, rng)
    except SaecliError as error:
        return {"refused": error.problem}
    if made is None or not made[1]:
        return {"refused": "no latent was chosen"}
    return nulls.experiment(made, rng, n_images, n_controls)
