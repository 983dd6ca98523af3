"""What an experiment costs beside the passes that it can't do without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from saecli.backbones.protocol import LayerOutput
from saecli.demo.world import SPECIES
from saecli.experiments.activity import measure
from saecli.experiments.arms import Arm, LatentArm
from saecli.experiments.controls import DEFAULTS, match_latents, random_directions
from saecli.experiments.influence import influence
from saecli.experiments.prefixes import Prefixes
from saecli.experiments.runner import ROWS, Bench, Figures, run
from tests.benchmarks.experiment import target_arm
from tests.benchmarks.sides import BATCH, TEST, Side, draw, load_side

ARMS = 40  # control arms beside the target
MANY = 400  # the same ten times over, for memory
LATENTS = 12


def speed(side: Side, n_images: int, a: str = "blue jay") -> dict[str, Any]:
    """CPU seconds of an experiment, of its passes done barely, and of whole networks.

    The experiment's are with choosing the controls, without own knock-outs and other pictures.

    Each is timed over the same pictures, batch by batch in turn, so that whatever else the machine
    does weighs on all three alike.
    """
    b = SPECIES[a].twin
    pixels = side.pixels(draw(a, TEST, n_images))
    bench = side.bench(a, b)
    arms = _arms(side, pixels, ARMS)
    spent = {"experiment": 0.0, "remaining": 0.0, "full": 0.0, "whole_for_each": 0.0}
    target = _target(side, pixels)
    choosing = _cpu(partial(_choose, side, bench, target, pixels[: DEFAULTS.influence_images]))
    spent["experiment"] += choosing
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
        "choosing": choosing,
        "over_floor": spent["experiment"] / floor,
        "whole_over_experiment": spent["whole_for_each"] / spent["experiment"],
        "threads": torch.get_num_threads(),
    }


def memory(catalog: Path | None, name: str) -> dict[str, Any]:
    """Peak resident memory of experiments with few and with many arms, in MB (Linux).

    Measured in a process whose allocator gives freed blocks back at once (glibc's mmap threshold
    fixed): otherwise it is what glibc keeps for reuse that is seen, up to half as much again, and
    not in step with the number of arms.
    """
    given = [name, *([] if catalog is None else [str(catalog)])]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.speed", *given],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return {"mb": json.loads(done.stdout)}


def _peaks(side: Side, n_images: int = 32, a: str = "blue jay") -> dict[int, float]:
    pixels = side.pixels(draw(a, TEST, n_images))
    bench = side.bench(a, SPECIES[a].twin)
    peaks = {}
    for n in (ARMS, MANY):
        arms = _arms(side, pixels, n)
        _run(side, bench, arms[:2], pixels)
        Path("/proc/self/clear_refs").write_text("5")
        _run(side, bench, arms, pixels)
        peaks[n] = _peak()
    return peaks


def _arms(side: Side, pixels: torch.Tensor, n: int) -> list[Arm]:
    return [target := _target(side, pixels), *random_directions(target, n, seed=0)]


def _target(side: Side, pixels: torch.Tensor) -> LatentArm:
    activity = side.dictionary.encode(side.backbone.record(pixels[:BATCH], side.layer).patches)
    strongest = activity.amax(dim=(0, 1)).argsort(descending=True)[:LATENTS]
    return target_arm(side, sorted(int(i) for i in strongest))


def _choose(side: Side, bench: Bench, target: LatentArm, pixels: torch.Tensor) -> None:
    """Choose the other latents, as an experiment does."""
    output = side.backbone.record(pixels, side.layer)
    known = influence(bench, target, [output], seed=0)
    active = measure(side.dictionary, [output.patches])
    match_latents(active, side.signature, target.edit.latents, seed=0, influence=known)


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


if __name__ == "__main__":
    _name, *_catalog = sys.argv[1:]
    torch.set_num_threads(1)
    print(json.dumps(_peaks(load_side(Path(_catalog[0]) if _catalog else None, _name))))
