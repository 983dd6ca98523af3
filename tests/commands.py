"""Running saecli as its users do, in this process or in one of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a command line gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line that a failed command says; fails the test if there are more, or none."""
        lines = [line for line in self.err.splitlines() if line.startswith("saecli: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err, self.err
        return lines[0]


class Saecli:
    """The command line's entry point, called in this process with a catalog of its own."""

    def __init__(self, folder: Path, monkeypatch: Any, capsys: Any) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *args: object) -> Outcome:
        from saecli.cli.app import main

        words = [str(arg) for arg in args]
        self._monkeypatch.chdir(self.folder)
        self._monkeypatch.setattr(sys, "argv", ["saecli", *words])
        self._capsys.readouterr()
        code = main(words)
        out, err = self._capsys.readouterr()
        return Outcome(code, out, err)

    def json(self, *args: object) -> Any:
        """Run with `--json`, check that it worked, and return the document."""
        outcome = self(*args, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.document


def start(folder: Path, *args: object, **environment: str) -> "subprocess.Popen[str]":
    """Start saecli in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "saecli", *map(str, args)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *args: object, **environment: str) -> Outcome:
    """Run saecli in a process of its own, to the end."""
    process = start(folder, *args, **environment)
    out, err = process.communicate(timeout=300)
    return Outcome(process.returncode, out, err)
