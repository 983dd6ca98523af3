"""Write the files under tests/data/foreign anew, each with its library in its own environment.

    python -m tests.foreign.writers            # environments in ~/.cache/saecli-peers
    python -m tests.foreign.writers --only saelens --envs DIR

The environments are those of `python -m tests.benchmarks.peers.environments`. ViT-Prisma 2 isn't
on PyPI: it runs in this interpreter, from the `src` folder of a checkout (`--vit-prisma DIR`), and
needs einops and line_profiler there.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
HERE = "vit-prisma"
LIBRARIES = ("sparsify", "dictionary-learning", "overcomplete", "saelens", HERE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=Path, default=Path.home() / ".cache" / "saecli-peers")
    parser.add_argument("--only", default=",".join(LIBRARIES))
    parser.add_argument("--vit-prisma", type=Path, help="ViT-Prisma's src folder")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "tests" / "data" / "foreign")
    options = parser.parse_args()
    for library in options.only.split(","):
        name = library.replace("-", "_")
        places = (CHECKOUT, options.vit_prisma, os.environ.get("PYTHONPATH"))
        path = os.pathsep.join(str(place) for place in places if place)
        python = options.envs / library / "bin" / "python"
        if library == HERE:
            python = Path(sys.executable)
        subprocess.run(
            [python, "-m", f"tests.foreign.writers.write_{name}", options.out / library],
            check=True,
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        print(f"{library}: {options.out / library}")


if __name__ == "__main__":
    main()
