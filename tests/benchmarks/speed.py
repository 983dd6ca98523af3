"""What an experiment costs beside the passes that it can't do without."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import SPECIES
from saecli.experiments.arms import Arm
from saecli.experiments.controls import random_directions
from saecli.experiments.prefixes import Prefixes
from saecli.experiments.runner import ROWS, Figures, run
from tests.benchmarks.experiment import target_arm
from tests.benchmarks.sides import BATCH, TEST, Side, draw

ARMS = 40  # control arms beside the target
MANY = 400  # the same ten times over, for memory
LATENTS = 12


def speed(side: Side, n_images: int, a: str = "blue jay") -> dict[str, Any]:
    """CPU seconds of an experiment, of its passes done barely, and of whole networks.

    Each is timed over the same pictures, batch by batch in turn, so that whatever else the machine
    does weighs on all three alike.
    """
    b = SPECIES[a].twin
    pixels = side.pixels(draw(a, TEST, n_images))
    bench = side.bench(a, b)
    arms = _arms(side, pixels, ARMS)
    spent = {"experiment": 0.0, "remaining": 0.0, "full": 0.0, "whole_for_each": 0.0}
    for part in torch.split(pixels, ROWS):
        spent["experiment"] += _cpu(partial(_run, side, bench, arms, part))
        spent["full"] += _cpu(partial(_whole, side, part, 1))
        spent["whole_for_each"] += _cpu(partial(_whole, side, part, ARMS + 1))
        output = side.backbone.record(part, side.layer)
        spent["remaining"] += _cpu(partial(_remaining, side, output, ARMS + 1))
    floor = spent["remaining"] + spent["full"]
    return {
        "n_images": n_images,
        "arms": ARMS + 1,
        **spent,
        "over_floor": spent["experiment"] / floor,
        "whole_over_experiment": spent["whole_for_each"] / spent["experiment"],
        "threads": torch.get_num_threads(),
    }


def memory(side: Side, n_images: int = 32, a: str = "blue jay") -> dict[str, Any]:
    """Peak resident memory of experiments with few and with many arms, in MB (Linux)."""
    pixels = side.pixels(draw(a, TEST, n_images))
    bench = side.bench(a, SPECIES[a].twin)
    peaks = {}
    for n in (ARMS, MANY):
        arms = _arms(side, pixels, n)
        _run(side, bench, arms[:2], pixels)
        Path("/proc/self/clear_refs").write_text("5")
        _run(side, bench, arms, pixels)
        peaks[n] = _peak()
    return {"mb": {str(n): peak for n, peak in peaks.items()}}


def _arms(side: Side, pixels: torch.Tensor, n: int) -> list[Arm]:
    activity = side.dictionary.encode(side.backbone.record(pixels[:BATCH], side.layer).patches)
    strongest = activity.amax(dim=(0, 1)).argsort(descending=True)[:LATENTS]
    target = target_arm(side, sorted(int(i) for i in strongest))
    return [target, *random_directions(target, n, seed=0)]


def _run(side: Side, bench: Any, arms: list[Arm], pixels: torch.Tensor) -> None:
    pictures: dict[int, Figures] = {}
    prefixes = Prefixes(
        side.backbone, side.layer, lambda at: pixels[torch.from_numpy(at)], len(pixels), BATCH
    )
    run(bench, arms, prefixes, on_pictures=pictures.update)


def _whole(side: Side, pixels: torch.Tensor, times: int) -> None:
    """The whole network, so many times."""
    for _ in range(times):
        _remaining(side, side.backbone.record(pixels, side.layer), 1)


def _remaining(side: Side, output: LayerOutput, times: int) -> None:
    """The blocks after the edited layer, all tokens, so many times."""
    with torch.no_grad():
        for _ in range(times):
            side.backbone.resume(output, side.layer)


def _cpu(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
