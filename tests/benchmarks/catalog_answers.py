"""Timings of whole commands and of queries on the generated catalog."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from saecli.catalog.images import record_image_set
from saecli.catalog.label_search import search_labels
from saecli.catalog.listing import list_all
from saecli.catalog.opening import open_catalog
from saecli.catalog.showing import show_latent
from saecli.refs import Concept
from tests.catalog.content import pictures
from tests.catalog.wide import N_IMAGES, write_wide

NAMES = ("wide-a", "wide-b")
IMPORTS = "import typer, rich.console, sqlalchemy.orm, numpy"
TORCHLESS = """
import sys
from saecli.cli.app import main
code = main(sys.argv[1:])
heavy = [name for name in ("torch", "transformers", "open_clip") if name in sys.modules]
sys.exit(f"loaded {heavy}" if heavy else code)
"""


def generated(folder: Path) -> Path:
    """The catalog of two dictionaries; made where it isn't there yet."""
    path = folder / "catalog.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        with open_catalog(path, create=True) as catalog, catalog.begin("train", []) as invocation:
            found = pictures(N_IMAGES)
            photos = record_image_set(
                catalog, invocation.id, name="photos", root="/", pictures=found
            )
            for seed, name in enumerate(NAMES):
                write_wide(catalog, invocation.id, name, photos, seed=seed)
        print(f"generated in {time.perf_counter() - started:.0f} s")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{path.stat().st_size / 1e6:.0f} MB catalog, {size / 1e6:.0f} MB with its folder")
    return path


def commands(path: Path, rounds: int) -> None:
    """`show`, `search` by words and `list`, beside what importing their libraries takes."""
    told = {
        "import of their libraries": ["-c", IMPORTS],
        "show wide-a:19717": ["show", "wide-a:19717"],
        "show wide-a --sort max": ["show", "wide-a", "--sort", "max"],
        'search "label 7"': ["search", "label 7"],
        "search --density 0..1% --max '>4'": ["search", "--density", "0..1%", "--max", ">4"],
        "list": ["list"],
    }
    in_turn(
        {
            name: (lambda words=words: _run(words, path)) if words[0] != "-c" else _imports
            for name, words in told.items()
        },
        rounds,
    )
    with open_catalog(path) as catalog, catalog.reading() as session:
        queries: dict[str, Callable[[], object]] = {
            "query: show a latent": lambda: show_latent(session, Concept("wide-a", (19_717,))),
            "query: label words": lambda: search_labels(session, "label 7"),
            "query: label phrase": lambda: search_labels(session, '"label 7"'),
            "query: list": lambda: list_all(catalog),
        }
        for query in queries.values():
            query()
        in_turn(queries, 10 * rounds)


def one_latent(path: Path, rounds: int) -> None:
    """`compare` of one latent as a command, and the index alone."""
    words = ["compare", "--from", "wide-a:100", "--to", "wide-b"]
    in_turn({" ".join(words): lambda: _run(words, path)}, rounds)
    from saecli.catalog.dictionaries import get_dictionary
    from saecli.catalog.profiles import get_profile
    from saecli.catalog.statistics import read_patterns
    from saecli.search.index import SignatureIndex

    with open_catalog(path) as catalog, catalog.reading() as session:
        profile = get_profile(session, get_dictionary(session, "wide-b"))
        signatures = read_patterns(session, profile)[1]
    index = SignatureIndex(signatures)
    sources = signatures[:200]
    in_turn(
        {
            "index of 24,576 × 1,024, built": lambda: SignatureIndex(signatures).rows,
            "index, one query": lambda: index.search(sources[7:8], 10),
            "index, a query among 200": lambda: index.search(sources, 10),
        },
        rounds,
        per={"index, a query among 200": len(sources)},
    )


def whole(path: Path, threads: int) -> None:
    """Both dictionaries compared both ways, with the null, as one command."""
    words = ["compare", "--from", NAMES[0], "--to", NAMES[1], "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    _run(words, path, threads)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{'compare, whole dictionaries, both ways':45} {wall:8.1f} s wall, {cpu:.1f} s CPU, "
        f"{after.ru_maxrss / 1e6:.2f} GB, {threads} threads"
    )


def in_turn(
    told: dict[str, Callable[[], object]], rounds: int, per: dict[str, int] | None = None
) -> None:
    """Run all in turn, and print the median time of each, with the least and the most."""
    wall: dict[str, list[float]] = {name: [] for name in told}
    cpu: dict[str, list[float]] = {name: [] for name in told}
    for _ in range(rounds):
        for name, run in told.items():
            used, started = _cpu(), time.perf_counter()
            run()
            wall[name].append((time.perf_counter() - started) / (per or {}).get(name, 1))
            cpu[name].append((_cpu() - used) / (per or {}).get(name, 1))
    for name in told:
        times = [1000 * seconds for seconds in wall[name]]
        print(
            f"{name:45} {statistics.median(times):8.1f} ms wall "
            f"[{min(times):.1f}, {max(times):.1f}], "
            f"{1000 * statistics.median(cpu[name]):.1f} ms CPU",
            flush=True,
        )


def _cpu() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def _imports() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def _run(words: list[str], path: Path, threads: int = 1) -> None:
    """One command in a process of its own, which must not load torch."""
    done = subprocess.run(
        [sys.executable, "-c", TORCHLESS, *words, "--catalog", str(path)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr or done.stdout}")
