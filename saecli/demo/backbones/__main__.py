"""`python -m saecli.demo.backbones`: how the two built-in backbones were made and measured.

Nobody needs to run this: the weights are part of the package. The whole of it is

    python -m saecli.demo.backbones pictures --work DIR     # minutes, 2.7 GB
    python -m saecli.demo.backbones clip --work DIR         # 37 minutes of one core
    python -m saecli.demo.backbones dinov2 --work DIR       # 37 minutes of one core
    python -m saecli.demo.backbones evaluate --clip DIR/fieldguide-clip \
        --dinov2 DIR/fieldguide-dinov2
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

from saecli.demo.backbones import FOLDERS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m saecli.demo.backbones",
        description="Make and measure the built-in backbones; their weights are in the package.",
    )
    steps = parser.add_subparsers(dest="step", required=True)
    pictures = steps.add_parser("pictures", help="render the pictures that both learn from")
    pictures.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    clip = steps.add_parser("clip", help="train fieldguide-clip from scratch, or go on")
    dinov2 = steps.add_parser("dinov2", help="train fieldguide-dinov2 from scratch, or go on")
    for step in (pictures, clip, dinov2):
        step.add_argument(
            "--work", type=Path, required=True, help="folder of pictures, checkpoints and results"
        )
    for step in (clip, dinov2):
        step.add_argument("--minutes", type=float, help="CPU minutes to spend (default: 37)")
        step.add_argument("--threads", type=int, default=1, help="cores to use (default: 1)")
    evaluate = steps.add_parser("evaluate", help="print every score as one JSON document")
    evaluate.add_argument("--clip", type=Path, default=FOLDERS["fieldguide-clip"][1])
    evaluate.add_argument("--dinov2", type=Path, default=FOLDERS["fieldguide-dinov2"][1])
    evaluate.add_argument("--n", type=int, default=2400, help="birds to measure on")
    return parser


def _train(arguments: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    chosen = {} if arguments.minutes is None else {"minutes": arguments.minutes}
    work: Path = arguments.work
    if arguments.step == "clip":
        from saecli.demo.backbones.clip import ClipSettings, train_clip

        train_clip(replace(ClipSettings(), **chosen), work, work / "fieldguide-clip")
    else:
        from saecli.demo.backbones.dinov2 import Dinov2Settings, train_dinov2

        train_dinov2(replace(Dinov2Settings(), **chosen), work, work / "fieldguide-dinov2")


def main() -> None:
    """Run one step."""
    arguments = _parser().parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns that weights are random
    if arguments.step == "pictures":
        from saecli.demo.backbones.pictures import PoolSettings, render_pool

        render_pool(PoolSettings(), arguments.work, arguments.workers)
    elif arguments.step == "evaluate":
        from saecli.demo.backbones.evaluation import evaluate

        print(json.dumps(evaluate(arguments.clip, arguments.dinov2, arguments.n), indent=2))
    else:
        _train(arguments)


if __name__ == "__main__":
    main()
