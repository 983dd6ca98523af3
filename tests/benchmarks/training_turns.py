"""Programs that train the same thing, asked in turn on the same cores; their speeds.

Each is a process of its own that stays loaded and waits while another works. Whatever else the
machine does weighs on all alike, so ratios hold where digits don't. With one thread speeds are
patches a second of the process's own CPU time, with more of wall time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.answering import Order
from tests.benchmarks.peers.environments import python_of

SCRIPTS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[2]
HUGE_PAGES = "glibc.malloc.hugetlb=1"  # madvise: large blocks lie in huge pages


@dataclass(frozen=True)
class Program:
    """Something that trains: its name, its script, its interpreter."""

    name: str
    script: str
    python: Path
    optimiser: str = ""


SAECLI = Program("saecli", "time_saecli.py", Path(sys.executable))


def programs_of(peers: list[str], envs: Path, objective: str, *, bf16: bool) -> list[Program]:
    """saecli and the peers that know an objective, sparsify with each of its optimisers."""
    found = [SAECLI]
    for name in peers:
        script, python = f"time_{name.replace('-', '_')}.py", python_of(envs, name)
        if name == "sparsify" and objective == "topk":
            found += [
                Program(name, script, python),
                Program(f"{name} adam", script, python, "adam"),
            ]
        elif name == "saev" and (objective != "relu" or bf16):
            continue
        elif name != "sparsify":
            found.append(Program(name, script, python))
    return found


@dataclass(frozen=True)
class Speed:
    """Of one program: patches a second in each round, and the peak resident memory in MB."""

    name: str
    rounds: list[float]
    peak_mb: float

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


@dataclass(frozen=True)
class Ratio:
    """saecli's speed over another's: of the medians, and the least and most within one round."""

    of_medians: float
    least: float
    most: float

    @classmethod
    def of(cls, mine: Speed, theirs: Speed) -> Ratio:
        each = [a / b for a, b in zip(mine.rounds, theirs.rounds, strict=True)]
        return cls(mine.median / theirs.median, min(each), max(each))


class Asked:
    """A program's process, loaded and waiting."""

    def __init__(self, program: Program, order: Order, *, huge_pages: bool) -> None:
        environment = os.environ | {
            "OMP_NUM_THREADS": str(order.threads),
            "MKL_NUM_THREADS": str(order.threads),
            "PYTHONWARNINGS": "ignore",
        }
        if huge_pages:
            environment["GLIBC_TUNABLES"] = HUGE_PAGES
        if program is SAECLI:
            environment["PYTHONPATH"] = str(ROOT)
        given = asdict(order) | {"optimiser": program.optimiser}
        self.program = program
        self._process = subprocess.Popen(
            [program.python, SCRIPTS / program.script, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ready(self) -> str:
        """Wait until it is loaded; why it isn't, or nothing."""
        assert self._process.stdout is not None
        if self._process.stdout.readline():
            return ""
        assert self._process.stderr is not None
        lines = self._process.stderr.read().strip().splitlines()
        return lines[-1] if lines else "it stopped without a word"

    def ask(self, n_steps: int) -> dict[str, Any]:
        """Let it train so many steps."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{n_steps}\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def compete(
    programs: list[Program], order: Order, *, rounds: int, seconds: float, huge_pages: bool
) -> tuple[list[Speed], dict[str, str]]:
    """Speeds of the programs in turn, and why those that couldn't are left out.

    Args:
        seconds: that a turn takes about.
    """
    asked, left_out = [], {}
    try:
        for program in programs:
            one = Asked(program, order, huge_pages=huge_pages)
            asked.append(one)
            reason = one.ready()
            if reason:
                left_out[program.name] = reason
                asked.pop().end()
        clock = "cpu" if order.threads == 1 else "wall"
        n_steps = {}
        for one in asked:
            n_steps[one.program.name] = max(1, round(seconds / (one.ask(2)[clock] / 2)))
        speeds: dict[str, list[float]] = {one.program.name: [] for one in asked}
        peaks: dict[str, float] = {}
        for _ in range(rounds):
            for one in asked:
                name = one.program.name
                told = one.ask(n_steps[name])
                speeds[name].append(n_steps[name] * order.batch / told[clock])
                peaks[name] = told["peak_mb"]
    finally:
        for one in asked:
            one.end()
    return [Speed(name, got, peaks[name]) for name, got in speeds.items()], left_out
