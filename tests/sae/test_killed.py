"""A run that is killed outright, again and again at random moments, loses nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from saecli.activations import recording
from saecli.sae import saving
from saecli.sae.checkpoints import to_bytes
from saecli.sae.trainer import TrainResult, train_together
from tests.recorded import recorded, sparse_sums
from tests.sae.test_trainer import IDENT, SHORT

ROOT = Path(__file__).parents[2]
KILLS = 24
LONG = replace(SHORT, n_patches=128 * 400)
SWEEP = [LONG, replace(LONG, objective="batchtopk", prefixes=("12",)), replace(LONG, k=3)]

# Forks for each attempt, so that only the first pays for importing PyTorch.
ATTEMPTS = """
import os, sys
from pathlib import Path
from tests.sae.test_killed import attempt
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        attempt(Path(sys.argv[1]))
        os._exit(0)
    print("child", child, flush=True)
    print("status", os.waitpid(child, 0)[1], flush=True)
"""


def source():
    """Read from a file's order: several groups to an epoch, each shuffled in a buffer."""
    whole = sparse_sums()
    x = torch.cat([batch for _, batch in whole.batches(60)])
    return recorded(x.half(), whole.grid, in_ram=False)


def small_groups():
    recording.BLOCK, recording.BUFFER = 32, 256


def content(results: list[TrainResult]) -> bytes:
    return b"".join(
        to_bytes(one.dictionary) + repr((one.evaluation.fvu, one.dead_fraction)).encode()
        for one in results
    )


def attempt(folder: Path) -> None:
    """Train, or go on; saved at every point, a hundred times a run."""
    small_groups()
    saving.SAVE_SECONDS = 0.0
    results = train_together(
        source(),
        SWEEP,
        IDENT,
        on_metrics=lambda point: os.write(1, b"point\n"),  # type: ignore[func-returns-value]
        state=folder / "a.state",
        resume=True,
    )
    (folder / "result.part").write_bytes(content(results))
    (folder / "result.part").rename(folder / "result")


class Attempts:
    """Runs of `attempt`, one after another; each is killed once enough points have passed."""

    def __init__(self, folder: Path) -> None:
        threads = str(torch.get_num_threads())
        self._process = subprocess.Popen(
            [sys.executable, "-c", ATTEMPTS, str(folder)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def run(self, n_points: int | None, seconds: float) -> bool:
        """Start one; kill it so long after its n-th point; True if it came to its end before."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        child, seen = 0, 0
        while True:
            words = self._line().split()
            if words[0] == "status":
                return not os.WIFSIGNALED(int(words[1]))
            child = int(words[1]) if words[0] == "child" else child
            seen += words[0] == "point"
            if n_points is not None and child and seen >= n_points:
                time.sleep(seconds)
                os.kill(child, signal.SIGKILL)
                n_points = None

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line, "the attempts ended"
        return line

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(timeout=60) == 0


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_identical_dictionaries(tmp_path, monkeypatch):
    """Before the first step, within steps, and while its state is being written."""
    monkeypatch.setattr(recording, "BLOCK", 32)
    monkeypatch.setattr(recording, "BUFFER", 256)
    whole = content(train_together(source(), SWEEP, IDENT))
    attempts, chance = Attempts(tmp_path), random.Random(0)
    n_killed = n_finished = n_resumed = 0
    while n_killed < KILLS or not n_finished:
        n_resumed += (tmp_path / "a.state").exists()
        kill = n_killed < KILLS
        ended = attempts.run(chance.randint(0, 24) if kill else None, chance.uniform(0, 0.02))
        if not ended:
            n_killed += 1
            continue
        assert (tmp_path / "result").read_bytes() == whole
        n_finished += 1
        for left in tmp_path.iterdir():
            left.unlink()
    attempts.close()
    assert n_resumed > KILLS / 2
