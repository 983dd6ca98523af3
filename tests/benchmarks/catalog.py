"""How fast a catalog answers, on generated dictionaries of 24,576 latents, and how truly.

    python -m tests.benchmarks.catalog                        # everything, in a temporary folder
    python -m tests.benchmarks.catalog --folder DIR           # the generated catalog is kept there
    python -m tests.benchmarks.catalog --only commands,one    # some of it

Parts: `commands` (show, search by words, list as whole commands and as queries), `one` (a latent
compared), `whole` (dictionaries compared both ways, with the null), `profiling` (throughput beside
a naive torch pass and the encoder's product alone), `writers` (ten processes label while one
profiles), `rates` (the comparison's own errors on the built-in world; needs `--catalog FILE`, a
catalog of a plain `saecli train`).

The machine is shared: what is compared runs in turn, and ratios are of medians over the rounds.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import catalog_answers, catalog_profiling, catalog_rates

PARTS = ("commands", "one", "whole", "profiling", "writers", "rates")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the generated catalog lies")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--catalog", type=Path, help="of a plain `saecli train`, for `rates`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = [part for part in chosen if part not in PARTS]
    if unknown:
        parser.error(f"there is no part '{unknown[0]}'; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if {"commands", "one", "whole", "writers"} & set(chosen):
            path = catalog_answers.generated(folder)
        for part in chosen:
            print(f"\n{part}", flush=True)
            if part == "commands":
                catalog_answers.commands(path, options.rounds)
            elif part == "one":
                catalog_answers.one_latent(path, options.rounds)
            elif part == "whole":
                catalog_answers.whole(path, options.threads)
            elif part == "profiling":
                catalog_profiling.throughput(options.rounds, options.threads)
            elif part == "writers":
                catalog_profiling.writers(path)
            elif options.catalog is None:
                print("left out: name the catalog of a plain `saecli train` with --catalog")
            else:
                catalog_rates.rates(options.catalog)


if __name__ == "__main__":
    main()
