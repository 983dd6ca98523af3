"""The training step beside other libraries', each as it is installed, in turn on the same core.

    python -m tests.benchmarks.training                     # all of it, about 40 minutes
    python -m tests.benchmarks.training --only step --objective topk --size S
    python -m tests.benchmarks.training --only overhead     # share that is no arithmetic
    python -m tests.benchmarks.training --only memory
    python -m tests.benchmarks.training --only bf16         # what bf16 costs in variance explained

Peers are installed under ``--envs`` (see `peers.environments`), one environment each. Activations:
see `training_data`. S is 384 → 3,072, M is 768 → 12,288; batches of 2,048, k = 32. Speeds are
patches a second of CPU time (`--threads` above 1: of wall time), medians over rounds; ratios are
saecli's median over another's, with the least and the most within one round.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks import training_data, training_parts
from tests.benchmarks.peers.answering import Order
from tests.benchmarks.peers.environments import FOLDER, PEERS, prepare
from tests.benchmarks.training_turns import SAECLI, Ratio, Speed, compete, programs_of

SIZES = {"S": (384, 3072), "M": (768, 12288)}
BATCH, K = 2048, 32
N_PATCHES = 65_536
PARTS = ["step", "bf16", "overhead", "memory"]


def step(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every objective, size, precision and page size that was asked for."""
    versions, left_out = prepare(options.envs, options.peers.split(","))
    print("peers: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    for name, reason in left_out.items():
        print(f"left out: {name} ({reason})")
    shown = training_data.pictures()
    found = training_data.recorded(shown, options.envs)
    print(f"activations: {shown}\n")
    report = []
    for size in options.size.split(","):
        width, n_latents = SIZES[size]
        path = training_data.written(found, N_PATCHES, width, options.envs)
        for objective in options.objective.split(","):
            for precision in options.precision.split(","):
                order = Order(
                    activations=str(path),
                    objective=objective,
                    precision=precision,
                    n_latents=n_latents,
                    k=K,
                    batch=BATCH,
                    threads=options.threads,
                    active=options.active if objective == "relu" else 0.0,
                )
                for pages in options.pages.split(","):
                    report.append(_one(order, list(versions), size, pages, options))
    return report


def _one(
    order: Order, peers: list[str], size: str, pages: str, options: argparse.Namespace
) -> dict[str, Any]:
    speeds, left_out = compete(
        programs_of(peers, options.envs, order.objective, bf16=order.bf16),
        order,
        rounds=options.rounds,
        seconds=options.seconds,
        huge_pages=pages == "huge",
    )
    title = f"{order.objective} {size} {order.precision}, {pages} pages"
    title += f", {order.active:.1%} active" if order.active else ""
    print(title + "\n" + "─" * len(title))
    mine = next(one for one in speeds if one.name == SAECLI.name)
    rows = []
    for speed in speeds:
        ratio = None if speed is mine else Ratio.of(mine, speed)
        print(_row(speed, ratio), flush=True)
        rows.append(asdict(speed) | {"ratio": ratio and asdict(ratio)})
    for name, reason in left_out.items():
        print(f"{name:<20} left out: {reason}")
    print()
    asked = {
        "objective": order.objective,
        "size": size,
        "precision": order.precision,
        "active": order.active,
    }
    return asked | {"pages": pages, "threads": order.threads, "speeds": rows}


def _row(speed: Speed, ratio: Ratio | None) -> str:
    told = f"{speed.name:<20} {speed.median:>9,.0f}/s  {speed.peak_mb:>6,.0f} MB"
    if ratio is None:
        return told
    return told + f"  {ratio.of_medians:.2f} × ({ratio.least:.2f}–{ratio.most:.2f})"


def bf16(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What bf16 costs in explained variance, for each objective."""
    shown = training_data.pictures()
    found = training_data.recorded(shown, options.envs)
    report = []
    for objective in options.objective.split(","):
        got = training_parts.bf16(shown, found, objective, options.n_patches)
        report.append(got)
        print(f"bf16 {objective}: {got}")
    return report


def overhead(options: argparse.Namespace) -> dict[str, Any]:
    """The share of a whole run that is neither the backbone's forward pass nor the step."""
    got = training_parts.overhead(training_data.pictures(), options.images, options.passes, 1)
    print(f"overhead: {got}")
    return got


def memory(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Peak memory for each size, and what a latent and a patch of the batch add."""
    shown = training_data.pictures()
    found = training_data.recorded(shown, options.envs)
    report = []
    for size in options.size.split(","):
        width, n_latents = SIZES[size]
        path = training_data.written(found, N_PATCHES, width, options.envs)
        report.append(training_parts.memory(path, n_latents, BATCH))
        print(f"memory {size}: {report[-1]}")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--envs", type=Path, default=FOLDER, help="the peers' environments")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--size", default="S,M")
    parser.add_argument("--objective", default="topk,relu")
    parser.add_argument("--precision", default="float32,bf16")
    parser.add_argument("--pages", default="small,huge", help="small, huge or both")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds of a turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--active", type=float, default=0.0, help="ReLU's share of active latents")
    parser.add_argument("--core", type=int, help="pin everything to this core (with one thread)")
    parser.add_argument("--n-patches", type=int, default=600_000, help="of the bf16 part's runs")
    parser.add_argument("--images", type=int, default=128, help="of the overhead part's run")
    parser.add_argument("--passes", type=int, default=20, help="of the overhead part's run")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    if options.threads == 1 and options.only != "overhead":
        core = min(os.sched_getaffinity(0)) if options.core is None else options.core
        os.sched_setaffinity(0, {core})
    torch.set_num_threads(options.threads)
    parts = [options.only] if options.only else PARTS
    report = {part: globals()[part](options) for part in parts}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
