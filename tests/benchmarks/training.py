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

from tests.benchmarks import training_data
from tests.benchmarks.peers.answering import Order
from tests.benchmarks.peers.environments import FOLDER, PEERS, prepare
from tests.benchmarks.training_turns import SAECLI, Ratio, Speed, compete, programs_of

SIZES = {"S": (384, 3072), "M": (768, 12288)}
BATCH, K = 2048, 32
N_PATCHES = 65_536


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
                order = Order(str(path), objective, precision, n_latents, K, BATCH, options.threads)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["step"], default=None)
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
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    if options.threads == 1:
        core = min(os.sched_getaffinity(0)) if options.core is None else options.core
        os.sched_setaffinity(0, {core})
    report = {"step": step(options)}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
