"""One virtual environment for each peer, since their pins conflict; PyTorch is the same in all.

    python -m tests.benchmarks.peers.environments            # ~/.cache/saecli-peers
    python -m tests.benchmarks.peers.environments --envs DIR

PyTorch takes six gigabytes and is installed once, in an environment that the others see. What
doesn't install is named with its reason and left out.
"""

import argparse
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path.home() / ".cache" / "saecli-peers"
TORCH = "torch"
READY = "installed.txt"  # written last, into an environment that is whole
WORKS = "version.txt"  # written once its library could be imported


@dataclass(frozen=True)
class Peer:
    """A library: what pip calls it, and what Python imports."""

    package: str
    module: str
    more: tuple[str, ...] = ()


PEERS = {
    "sparsify": Peer("eai-sparsify", "sparsify"),
    "saelens": Peer("sae-lens", "sae_lens"),
    "dictionary-learning": Peer("dictionary-learning", "dictionary_learning"),
    "overcomplete": Peer("Overcomplete", "overcomplete", ("matplotlib<3.9",)),  # wants cm.get_cmap
    "saev": Peer("saev", "saev", ("wandb",)),
    "vit-prisma": Peer("vit-prisma", "vit_prisma.sae"),
}


def prepare(folder: Path, names: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Make what is missing.

    Returns:
        The versions of the peers that can be imported, and the reasons of those that can't.
    """
    _environment(folder / TORCH, ["torch", "torchvision"], None)
    versions, left_out = {}, {}
    for name in names:
        peer, home = PEERS[name], folder / name
        try:
            _environment(home, [peer.package, *peer.more], folder / TORCH)
            versions[name] = _version(home, peer)
        except subprocess.CalledProcessError as error:
            left_out[name] = _reason(error)
    return versions, left_out


def python_of(folder: Path, name: str) -> Path:
    """The interpreter of a peer's environment."""
    return folder / name / "bin" / "python"


def _environment(home: Path, packages: list[str], sees: Path | None) -> None:
    if (home / READY).exists():
        return
    print(f"installing {' '.join(packages)} in {home} …", file=sys.stderr, flush=True)
    venv.create(home, with_pip=True, clear=True)
    if sees is not None:
        seen = next(sees.glob("lib/python*/site-packages"))
        next(home.glob("lib/python*/site-packages")).joinpath("sees.pth").write_text(f"{seen}\n")
    python = home / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", *packages)
    (home / READY).write_text(_run(python, "-m", "pip", "freeze"))


def _version(home: Path, peer: Peer) -> str:
    """The version of what can be imported; found once."""
    kept = home / WORKS
    if not kept.exists():
        asked = f"import {peer.module}, importlib.metadata as m; print(m.version('{peer.package}'))"
        lines = _run(home / "bin" / "python", "-c", asked).split()
        kept.write_text(lines[-1])
    return kept.read_text()


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def _reason(error: subprocess.CalledProcessError) -> str:
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("ERROR", "error", "E: "))]
    return (told or lines or ["no reason told"])[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=Path, default=FOLDER)
    parser.add_argument("--peers", default=",".join(PEERS))
    options = parser.parse_args()
    versions, left_out = prepare(options.envs, options.peers.split(","))
    for name, version in versions.items():
        print(f"{name} {version}")
    for name, reason in left_out.items():
        print(f"{name} is left out: {reason}")


if __name__ == "__main__":
    main()
