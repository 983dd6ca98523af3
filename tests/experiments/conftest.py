"""Tiny real backbones with random dictionaries and probes: everything an experiment needs."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from saecli.backbones.loading import load
from saecli.backbones.protocol import Backbone
from saecli.experiments.arms import LatentArm
from saecli.experiments.interventions import Edit, Value
from saecli.experiments.margins import Contrast
from saecli.experiments.prefixes import Prefixes
from saecli.experiments.probes import Probe
from saecli.experiments.runner import Bench
from saecli.sae.model import Dictionary, Identity
from tests.dictionaries import random_dictionary
from tests.models import write_tiny_clip, write_tiny_dinov2

LAYER, N_IMAGES, N_LATENTS, N_CLASSES = 1, 10, 48, 4


@dataclass(frozen=True)
class Laboratory:
    backbone: Backbone
    dictionary: Dictionary
    pixels: torch.Tensor

    def prefixes(self, batch=4, pixels=None) -> Prefixes:
        shown = self.pixels if pixels is None else pixels
        return Prefixes(
            self.backbone, LAYER, lambda at: shown[torch.from_numpy(at)], len(shown), batch
        )

    def probe(self, task="classification", reads="cls") -> Probe:
        width = {"embedding": 16, "cls+mean_patches": 64}.get(reads, 32)
        generator = torch.Generator().manual_seed(3)
        weight = 2 * torch.randn(width, N_CLASSES, generator=generator)
        bias = torch.zeros(N_CLASSES)
        return Probe(task, tuple("abcd"), weight, bias, reads, self.backbone.digest)

    def bench(self, probe=None, contrast=Contrast(1, 2)) -> Bench:
        return Bench(self.backbone, self.dictionary, probe or self.probe(), contrast)

    def target(self, latents=(3, 8, 21), value="ablate", scope="active") -> LatentArm:
        edit = Edit(latents, Value.parse(value), scope)
        return LatentArm("target", 0, self.dictionary, edit, 3.0 + torch.arange(len(latents)))

    def activations(self) -> torch.Tensor:
        """(N_IMAGES, P, N_LATENTS)."""
        return self.dictionary.encode(self.backbone.record(self.pixels, LAYER).patches)


def laboratory(backbone, seed=0) -> Laboratory:
    pixels = torch.from_numpy(np.random.default_rng(seed).normal(size=(N_IMAGES, 3, 32, 32)))
    dictionary = random_dictionary(
        backbone.d_model, N_LATENTS, k=12, identity=Identity.of(backbone, LAYER)
    )
    return Laboratory(backbone, dictionary, pixels.float())


@pytest.fixture(scope="session")
def dinov2_lab(tmp_path_factory) -> Laboratory:
    folder = write_tiny_dinov2(tmp_path_factory.mktemp("dinov2") / "tiny", registers=2)
    return laboratory(load(f"dinov2:{folder}", device="cpu"))


@pytest.fixture(scope="session")
def clip_lab(tmp_path_factory) -> Laboratory:
    folder = write_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")
    return laboratory(load(f"clip:{folder}", device="cpu"))


@pytest.fixture(scope="session", params=["clip", "dinov2"])
def lab(request) -> Laboratory:
    return request.getfixturevalue(f"{request.param}_lab")
