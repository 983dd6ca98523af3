"""Of a whole run: what bf16 costs, what is no arithmetic, and how much memory it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from saecli.activations.recording import Recorded, record_patches
from saecli.backbones.loading import resolve_layer
from saecli.images.loading import load_batches
from saecli.sae.member import Member
from saecli.sae.model import Identity
from saecli.sae.objectives import Buffers
from saecli.sae.plan import resolve
from saecli.sae.ranks import ALONE
from saecli.sae.settings import TrainSettings
from saecli.sae.trainer import train
from saecli.sae.weights import Normalisation
from tests.benchmarks.peers.answering import Order
from tests.benchmarks.training_data import LAYER, Pictures
from tests.benchmarks.training_turns import SAECLI, Asked

IMAGES = 64  # to a forward pass, as saecli runs it


def bf16(shown: Pictures, found: Recorded, objective: str, n_patches: int) -> dict[str, Any]:
    """Held-out explained variance after the same run in float32 and in bf16."""
    identity = identity_of(shown)
    settings = TrainSettings(objective=objective, n_patches=n_patches)
    got = {
        precision: train(found, settings, identity, precision=precision)
        for precision in ("float32", "bf16")
    }
    explained = {name: one.evaluation.explained_variance for name, one in got.items()}
    return {
        "objective": objective,
        "explained_variance": explained,
        "l0": {name: one.evaluation.l0 for name, one in got.items()},
        "lost": 1 - explained["bf16"] / explained["float32"],
    }


def overhead(shown: Pictures, n_images: int, passes: int, rounds: int) -> dict[str, Any]:
    """CPU and wall seconds of a run from pictures to dictionary, and of its arithmetic alone."""
    part = replace(shown, files=shown.files[:n_images])
    layer = resolve_layer(LAYER, shown.backbone.n_blocks)
    pixels = [batch.pixels for batch in _loaded(part)]
    identity = identity_of(shown)
    settings = TrainSettings(passes=passes)
    spent: dict[str, list[tuple[float, float]]] = {"forward": [], "step": [], "whole": []}
    for _ in range(rounds):
        spent["forward"].append(
            _timed(lambda: [shown.backbone.record(some, layer).patches for some in pixels])
        )
        whole: list[Recorded] = []

        def run(whole: list[Recorded] = whole) -> None:
            found = record_patches(part.backbone, part.files, layer, batch_size=IMAGES)
            train(found, settings, identity)
            whole.append(found)

        spent["whole"].append(_timed(run))
        spent["step"].append(_step_alone(whole[0], settings, identity))
    seconds = {
        name: {"wall": median(one[0] for one in each), "cpu": median(one[1] for one in each)}
        for name, each in spent.items()
    }
    share = {
        clock: 1 - (seconds["forward"][clock] + seconds["step"][clock]) / seconds["whole"][clock]
        for clock in ("wall", "cpu")
    }
    return {
        "n_images": len(part.files),
        "passes": passes,
        "threads": torch.get_num_threads(),
        "seconds": seconds,
        "share_no_arithmetic": share,
    }


def memory(activations: Path, n_latents: int, batch: int) -> dict[str, Any]:
    """Peak resident memory in MB: at first, later, and with twice the latents or the batch."""
    order = Order(str(activations), "topk", "float32", n_latents, 32, batch, threads=1)
    early, late = _peaks(order)
    more_latents = _peaks(replace(order, n_latents=2 * n_latents))[1]
    more_patches = _peaks(replace(order, batch=2 * batch))[1]
    return {
        "n_latents": n_latents,
        "batch": batch,
        "mb_after_10_steps": early,
        "mb_after_60_steps": late,
        "kb_per_latent": (more_latents - late) / n_latents * 1024,
        "kb_per_patch_of_the_batch": (more_patches - late) / batch * 1024,
    }


def identity_of(shown: Pictures) -> Identity:
    """Of dictionaries trained on these activations."""
    return Identity.of(shown.backbone, resolve_layer(LAYER, shown.backbone.n_blocks))


def _loaded(part: Pictures) -> list[Any]:
    return list(
        load_batches(
            part.files,
            part.backbone.preprocess,
            batch_size=IMAGES,
            thumbnails=False,
            on_skip=lambda skipped: None,
        )
    )


def _step_alone(
    found: Recorded, settings: TrainSettings, identity: Identity
) -> tuple[float, float]:
    """The steps of the same run on one batch after another that lie ready, normalised."""
    split = found.split(settings.held_out, settings.held_out_most, settings.seed)
    plan = resolve(settings, found.d_model, len(split.train) * found.grid.n_patches)
    x = found.shuffled(split.train, plan.seed).draw(8 * plan.batch)
    normalisation = Normalisation.estimate(x)
    member = Member(plan, identity, torch.device("cpu"), "float32", Buffers())
    z = normalisation.apply(x)
    member.begin(normalisation, x, z)
    batches = z.split(plan.batch)

    def steps() -> None:
        for step in range(plan.n_steps):
            member.update(batches[step % len(batches)], step, ALONE, 0.0)

    return _timed(steps)


def _peaks(order: Order) -> tuple[float, float]:
    asked = Asked(SAECLI, order, huge_pages=False)
    try:
        reason = asked.ready()
        if reason:
            raise RuntimeError(reason)
        return asked.ask(10)["peak_mb"], asked.ask(50)["peak_mb"]
    finally:
        asked.end()


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds, the latter over all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
