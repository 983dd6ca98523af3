"""The two backbones of the built-in world, each with the dictionary and the probe of a catalog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.backbones.protocol import Backbone, LayerOutput
from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.opening import open_catalog
from saecli.catalog.probes import get_probe, read_probe
from saecli.catalog.profiles import get_profile
from saecli.catalog.statistics import read_signature, statistics
from saecli.demo.world import SPECIES, Picture, render
from saecli.experiments.margins import Contrast
from saecli.experiments.probes import Probe
from saecli.experiments.runner import Bench
from saecli.progress import SILENT
from saecli.sae.model import Dictionary
from saecli.workflows.models import backbone_of, load_dictionary

NAMES = ("clip", "dinov2")
SELECTION, TEST = 61, 62
"""Seeds of the world that neither backbones, dictionaries nor probes learnt from: those of run 0;
run n takes 2 n more. The rule was tuned while looking at run 0."""

BATCH = 16  # pictures, as in an experiment
SPECIES_APART = 10_000  # indices: no two species share a scene


@dataclass(frozen=True, eq=False)
class Side:
    """A backbone with its dictionary, what the dictionary's profile says, and a probe.

    Args:
        maxima: (n_latents,) the largest activations.
        signature: (n_latents, M).
    """

    name: str
    backbone: Backbone
    dictionary: Dictionary
    probe: Probe
    maxima: Tensor
    signature: npt.NDArray[np.float64]

    @property
    def layer(self) -> int:
        return self.dictionary.identity.layer

    def contrast(self, a: str, b: str | None) -> Contrast:
        return Contrast(self.probe.index(a), None if b is None else self.probe.index(b))

    def bench(self, a: str, b: str | None) -> Bench:
        return Bench(self.backbone, self.dictionary, self.probe, self.contrast(a, b))

    def pixels(self, pictures: Iterable[Picture]) -> Tensor:
        """(n, 3, H, W), as the backbone sees them."""
        from PIL import Image

        return torch.stack([self.backbone.preprocess(Image.fromarray(p.image)) for p in pictures])

    def record(self, pictures: list[Picture]) -> LayerOutput:
        """The pictures at the dictionary's layer."""
        parts = [
            self.backbone.record(self.pixels(pictures[start : start + BATCH]), self.layer)
            for start in range(0, len(pictures), BATCH)
        ]
        return LayerOutput(torch.cat([part.tokens for part in parts]), parts[0].n_prefix)

    def logits(self, output: LayerOutput) -> Tensor:
        """(n, n_classes), or (n, P, n_classes) of a segmentation probe."""
        with torch.no_grad():
            parts = [
                self.probe.logits(
                    self.backbone.resume(LayerOutput(tokens, output.n_prefix), self.layer)
                )
                for tokens in torch.split(output.tokens, BATCH)
            ]
        return torch.cat(parts)


def load_side(catalog: Path | None, name: str, probe: str = "species") -> Side:
    """A built-in dictionary of a catalog that ``saecli train`` made, and one of its probes."""
    with open_catalog(catalog) as opened:
        with opened.reading() as session:
            info = get_dictionary(session, name)
            profile = get_profile(session, info)
            known = statistics(session, profile)
            _, signature = read_signature(session, profile)
            head = Probe.from_bytes(read_probe(session, get_probe(session, f"{name}-{probe}")))
        backbone = backbone_of(info, SILENT, device="cpu")
        dictionary = load_dictionary(opened, info, "cpu")
    maxima = torch.from_numpy(known.maximum).to(dictionary.W_dec)
    return Side(name, backbone, dictionary, head, maxima, signature.astype(np.float64))


def twin_values(species: str) -> dict[str, str]:
    """What must change in a picture of a species to make it its twin's."""
    bird = SPECIES[species]
    return {bird.attribute: SPECIES[bird.twin].attributes[bird.attribute]}


def draw(species: str, seed: int, n: int, *, twin: bool = False) -> list[Picture]:
    """Pictures of a species; with ``twin`` the same ones with its twin's attribute."""
    first = list(SPECIES).index(species) * SPECIES_APART
    swapped = twin_values(species) if twin else None
    return [render(seed, first + i, species=species, counterfactual=swapped) for i in range(n)]


class Pool:
    """Recorded pictures of every species, made when they are first asked for.

    Args:
        side: whose backbone records them.
        seed: of the world.
        n: pictures of each species.
    """

    def __init__(self, side: Side, seed: int, n: int) -> None:
        self.side, self.seed, self.n = side, seed, n
        self._kept: dict[tuple[str, bool], LayerOutput] = {}

    def __call__(self, species: str, *, twin: bool = False) -> LayerOutput:
        """(n, T, d_model)."""
        key = (species, twin)
        if key not in self._kept:
            self._kept[key] = self.side.record(draw(species, self.seed, self.n, twin=twin))
        return self._kept[key]

    def some(self, species: str, n: int, rng: np.random.Generator) -> LayerOutput:
        """So many pictures of a species, drawn at random."""
        return take(self(species), rng.choice(self.n, n, replace=False))

    def others(self, species: str, n: int, rng: np.random.Generator) -> LayerOutput:
        """So many pictures of other species, drawn at random."""
        rest = [name for name in SPECIES if name != species]
        chosen = [rest[int(i)] for i in rng.integers(len(rest), size=n)]
        tokens = [self(name).tokens[int(rng.integers(self.n))] for name in chosen]
        return LayerOutput(torch.stack(tokens), self(species).n_prefix)


def take(output: LayerOutput, places: npt.NDArray[np.int64]) -> LayerOutput:
    """Some of the pictures."""
    return LayerOutput(output.tokens[torch.from_numpy(places)], output.n_prefix)
