"""Profiling's throughput, and many processes that write into one catalog."""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from saecli.profiling.parts import Part, gather
from saecli.profiling.profiler import ProfileSettings, finish
from saecli.sae.model import Dictionary, Identity
from tests.benchmarks.catalog_answers import NAMES, in_turn
from tests.catalog.wide import N_IMAGES

D, S, K, P, IMAGES = 768, 12_288, 32, 196, 64
N_TOP = 16
BEFORE = 3  # times as many images that a pass has seen before it is timed
PROCESSES, LABELS = 10, 20

LABELLER = """
import sys
from saecli.catalog.labels import add_label
from saecli.catalog.opening import open_catalog
from saecli.refs import Concept

me, n, path, name = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
print("ready", flush=True)
sys.stdin.readline()
for i in range(n):
    with open_catalog(path, write=True) as catalog, catalog.begin("label", [me]) as invocation:
        with catalog.writing() as session:
            add_label(session, invocation.id, Concept(name, (i,)), f"{me} {i}", author=me)
"""

PROFILER = """
import sys
from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.images import find_image_set
from saecli.catalog.opening import open_catalog
from saecli.catalog.profiling import store_profile
from tests.catalog.wide import wide_arrays

path, name = sys.argv[1:]
arrays = wide_arrays(5)
print("ready", flush=True)
sys.stdin.readline()
with open_catalog(path, write=True) as catalog, catalog.begin("profile", []) as invocation:
    with catalog.reading() as session:
        dictionary, photos = get_dictionary(session, name), find_image_set(session, "photos")
    store_profile(catalog, invocation.id, dictionary=dictionary, image_set=photos, arrays=arrays,
                  settings={}, seconds=1.0)
"""


def made_up() -> tuple[Dictionary, Tensor]:
    """A dictionary and patches made of its own latents: k directions each, and noise."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(S, D, generator=generator))
    dictionary = Dictionary(
        W_enc=directions.t().contiguous(),
        b_enc=torch.zeros(S),
        W_dec=directions,
        b_dec=torch.zeros(D),
        mean=torch.zeros(D),
        scale=torch.ones(1),
        activation="topk",
        identity=Identity("made up", "0" * 64, "{}", 0, "patches", D, (14, 14)),
        k=K,
    )
    n = IMAGES * P
    latents = torch.randint(S, (n, K), generator=generator)
    values = torch.rand(n, K, generator=generator) * 3 + 0.5
    x = torch.randn(n, D, generator=generator) * 0.2
    for place in range(K):
        x += values[:, place, None] * directions[latents[:, place]]
    return dictionary, x.view(IMAGES, P, D)


def naive(dictionary: Dictionary, x: Tensor, batch: int = 8) -> None:
    """Statistics and the top images of each latent, as one writes them first."""
    n_active = torch.zeros(S, dtype=torch.int64)
    total, largest = torch.zeros(S), torch.zeros(S)
    best, image = torch.zeros(N_TOP, S), torch.full((N_TOP, S), -1)
    for start in range(0, len(x), batch):
        f = dictionary.encode(x[start : start + batch])
        n_active += (f > 0).sum(dim=(0, 1))
        total += f.sum(dim=(0, 1))
        maxima = f.amax(dim=1)
        largest = torch.maximum(largest, maxima.amax(dim=0))
        numbers = torch.arange(start, start + len(maxima))[:, None].expand(-1, S)
        best, order = torch.cat([best, maxima]).topk(N_TOP, dim=0)
        image = torch.cat([image, numbers]).gather(0, order)


def throughput(rounds: int, threads: int) -> None:
    """The pass in float32 and bf16 beside a naive one and the encoder's product alone."""
    torch.set_num_threads(threads)
    dictionary, x = made_up()
    rows = x.flatten(0, 1)
    low_rows, low_weights = rows.bfloat16(), dictionary.W_enc.t().contiguous().bfloat16()

    most = IMAGES * (BEFORE + rounds)

    def begun(precision: str) -> tuple[ProfileSettings, Part]:
        settings = ProfileSettings(precision=precision)  # type: ignore[arg-type]
        part = Part.begin(dictionary, most, settings)
        for _ in range(BEFORE):
            _go_on(dictionary, x, most, settings, part)
        return settings, part

    passes = {precision: begun(precision) for precision in ("float32", "bf16")}

    def go_on(precision: str) -> None:
        _go_on(dictionary, x, most, *passes[precision])

    def product(a: Tensor, b: Tensor) -> None:
        for part in a.split(6 * P):
            part @ b

    print(f"{IMAGES} × {P} patches, {D} → {S:,}, k {K}, {threads} threads")
    in_turn(
        {
            "naive torch pass (statistics, top 16)": lambda: naive(dictionary, x),
            "product alone, float32": lambda: product(rows, dictionary.W_enc),
            "product alone, bf16": lambda: product(low_rows, low_weights.t()),
            "saecli's pass, float32": lambda: go_on("float32"),
            "saecli's pass, bf16 product": lambda: go_on("bf16"),
        },
        rounds,
    )
    settings, part = passes["bf16"]
    in_turn({"once a set: its end, whatever its size": lambda: finish([part], settings)}, 1)


def _go_on(
    dictionary: Dictionary, x: Tensor, most: int, settings: ProfileSettings, part: Part
) -> None:
    """The next images of a pass that is under way: what a set of any size costs, image by image."""
    batches = [(part.n_images, x)]
    gather([dictionary], batches, most, settings, parts=[part])


def writers(path: Path) -> None:
    """Ten processes label while one writes a profile of 24,576 latents: whether a row is lost."""
    from sqlalchemy import func, select

    from saecli.catalog.opening import open_catalog
    from saecli.catalog.tables import Label

    def started(code: str, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", code, *words],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def n_labels() -> int:
        with open_catalog(path) as catalog, catalog.reading() as session:
            return session.scalar(select(func.count()).select_from(Label)) or 0

    before = n_labels()
    run = f"run {time.time_ns()}"
    labellers = [
        started(LABELLER, f"{run} of {i}", str(LABELS), str(path), NAMES[0])
        for i in range(PROCESSES)
    ]
    everybody = [started(PROFILER, str(path), NAMES[1]), *labellers]
    for one in everybody:
        assert one.stdout is not None
        one.stdout.readline()
    began = time.perf_counter()
    for one in everybody:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    errors = [one.communicate()[1] for one in everybody]
    failed = [error for one, error in zip(everybody, errors, strict=True) if one.returncode]
    gained = n_labels() - before
    print(
        f"{PROCESSES} processes × {LABELS} labels while one profiles {N_IMAGES:,} pictures' "
        f"latents: {gained} rows of {PROCESSES * LABELS}, {len(failed)} failed, "
        f"{'some' if any('locked' in error for error in errors) else 'no'} 'database is locked', "
        f"{time.perf_counter() - began:.1f} s"
    )
    for error in failed:
        print(error)
