"""What every timed program does: make a training step, then run as many as it is asked for.

Imported by the scripts beside it, which run in environments of their own; so it needs nothing but
NumPy and PyTorch. An order comes as JSON in the first argument, questions ("20" steps) as lines,
answers as JSON lines; whatever else a library prints goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

WARM_UP = 3

REPLIES = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # whatever a library prints, at its import too, is no answer


@dataclass(frozen=True)
class Order:
    """What to train.

    Args:
        activations: a ``.npy`` file (n, d_model) float32.
        objective: ``topk`` or ``relu``.
        precision: ``float32`` or ``bf16``.
        optimiser: of libraries that offer several; empty for their own choice.
        active: share of the latents that ReLU starts with active; 0 for what weights from data
            give, about half. Only saecli's step depends on it.
    """

    activations: str
    objective: str
    precision: str
    n_latents: int
    k: int
    batch: int
    threads: int
    optimiser: str = ""
    active: float = 0.0

    @property
    def bf16(self) -> bool:
        return self.precision == "bf16"


Steps = Callable[[list[Tensor]], float]
"""Trains a step on each batch and returns the last loss."""


def answer(prepare: Callable[[Order, Tensor], Steps]) -> None:
    """Read the order, prepare the step from the activations, and answer until input ends."""
    order = Order(**json.loads(sys.argv[1]))
    torch.set_num_threads(order.threads)
    x = torch.from_numpy(np.load(order.activations))
    steps = prepare(order, x)
    batches = _endless(list(x.split(order.batch))[: len(x) // order.batch])
    steps(list(islice(batches, WARM_UP)))
    print(json.dumps({"torch": torch.__version__}), file=REPLIES)
    for line in sys.stdin:
        some = list(islice(batches, int(line)))
        wall, cpu = time.perf_counter(), time.process_time()
        loss = steps(some)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        told = {"wall": wall, "cpu": cpu, "loss": loss, "peak_mb": peak_mb()}
        print(json.dumps(told), file=REPLIES)


def autocast(order: Order) -> torch.autocast:
    """PyTorch's bf16 region, off in float32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=order.bf16)


def peak_mb() -> float:
    """Peak resident memory of this process since it began (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _endless(batches: list[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from batches
