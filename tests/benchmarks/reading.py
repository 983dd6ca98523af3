"""How fast an activation store is read, and how well its patches are mixed.

    python -m tests.benchmarks.reading                    # a store of made-up activations
    python -m tests.benchmarks.reading --activations DIR  # one's own
    python -m tests.benchmarks.reading --beside saev      # and saev's loader on the same patches

saev is the release on PyPI, in an environment of its own (`peers.environments`). Its shards are
float32 with a class token to each picture, and its loader picks patch by patch in the main process.

Speeds are patches a second, of wall time and of the process's own CPU time. "Warm" leaves out the
first buffer, which is read before anything can be handed out; "cold" is one whole epoch, the first
buffer included, with the files dropped from the page cache before. Mixing is the variance of a
batch's mean over that of independent draws, over the batches of one epoch: 1 is perfect, and what
lies above it is noise that every step gets because a batch's patches share pictures. It depends on
how alike a picture's patches are: the made-up ones share 0.3 of their variance.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from saecli.activations.stored import Stored, open_store
from saecli.grid import Grid
from tests.benchmarks.peers.environments import FOLDER, prepare, python_of
from tests.stores import write_store

GRID = Grid(14, 14)
ALIKE = 0.3  # of a patch's variance is its picture's
BATCH = 2048
MIXING_DIMENSIONS = 64


def made_up(n_images: int, width: int, seed: int = 0) -> Iterator[torch.Tensor]:
    """Activations (P, D) of pictures whose patches are alike."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(GRID.n_patches, width, generator=generator) * (1 - ALIKE) ** 0.5
    for _ in range(n_images):
        mean = torch.randn(width, generator=generator) * ALIKE**0.5
        turned = noise.roll(int(torch.randint(width, (1,), generator=generator)), 1)
        yield turned + mean


def forget(folder: Path) -> None:
    """Drop a store's files from the page cache."""
    for path in [*folder.rglob("*.safetensors"), *folder.rglob("*.bin")]:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def shuffled_speed(stored: Stored, *, cold: bool) -> tuple[float, float]:
    """Patches a second of wall time and of CPU time, over an epoch."""
    n_batches = stored.n_images * stored.grid.n_patches // BATCH
    if cold:
        forget(stored.folder)
    wall, cpu = time.perf_counter(), time.process_time()
    stream = stored.shuffled(torch.arange(stored.n_images), seed=0)
    if not cold:
        start = stream.position
        while (stream.position.epoch, stream.position.group) == (start.epoch, start.group):
            stream.draw(BATCH)
        wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(n_batches):
        stream.draw(BATCH)
    n = n_batches * BATCH
    return n / (time.perf_counter() - wall), n / (time.process_time() - cpu)


def write_for_saev(stored: Stored, folder: Path) -> None:
    """The same patches in saev's layout: one shard, a class token of zeros before each picture."""
    n_patches = stored.grid.n_patches + 1
    described = {
        "vit_family": "clip",
        "vit_ckpt": "",
        "layers": [0],
        "n_patches_per_img": stored.grid.n_patches,
        "cls_token": True,
        "d_vit": stored.d_model,
        "seed": 0,
        "n_imgs": stored.n_images,
        "n_patches_per_shard": stored.n_images * n_patches,
        "data": "",
    }
    folder.mkdir()
    (folder / "metadata.json").write_text(json.dumps(described))
    shape = (stored.n_images, 1, n_patches, stored.d_model)
    acts = np.memmap(folder / "acts000000.bin", mode="w+", dtype=np.float32, shape=shape)
    start = 0
    for _, batch in stored.batches(64):
        acts[start : start + len(batch), 0, 1:] = batch.numpy()
        start += len(batch)
    acts.flush()


def saev_speed(folder: Path, envs: Path, n_batches: int, *, cold: bool) -> tuple[float, float]:
    """Patches a second of wall and of CPU time."""
    if cold:
        forget(folder)
    script = Path(__file__).parent / "peers" / "read_saev.py"
    command = [python_of(envs, "saev"), script, folder, str(n_batches)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return told["wall"], told["cpu"]


def mixing(stored: Stored) -> float:
    """Variance of batch means over that of independent draws."""
    stream = stored.shuffled(torch.arange(stored.n_images), seed=1)
    n = stored.n_images * stored.grid.n_patches // BATCH
    batches = [stream.draw(BATCH)[:, :MIXING_DIMENSIONS].double() for _ in range(n)]
    means = torch.stack([batch.mean(0) for batch in batches])
    spread = torch.stack([batch.var(0) for batch in batches]).mean(0) + means.var(0)
    return float((means.var(0) / (spread / BATCH)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--activations", type=Path, help="a store; default: one is made up")
    parser.add_argument("--layer", type=int)
    parser.add_argument("--images", type=int, default=3000, help="of a store that is made up")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", choices=["saev"], help="a peer whose loader is timed, too")
    parser.add_argument("--envs", type=Path, default=FOLDER, help="the peers' environments")
    parser.add_argument("--batches", type=int, default=8, help="that the peer reads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.activations
        if folder is None:
            folder = Path(temporary) / "store"
            images = made_up(options.images, options.width)
            write_store(folder, images, options.images, GRID, options.width, images_per_shard=850)
        whole = open_store(folder, options.layer)
        print(f"{whole.n_images:,} images of {whole.grid.n_patches} patches, {whole.d_model} wide")
        for buffer in (1 << 16, 1 << 18):
            stored = open_store(folder, options.layer, buffer=buffer)
            cold = shuffled_speed(stored, cold=True)
            warm = shuffled_speed(stored, cold=False)
            print(
                f"buffer {buffer:>9,}: warm {warm[0]:>9,.0f}/s ({warm[1]:,.0f} per CPU s), "
                f"cold {cold[0]:>9,.0f}/s ({cold[1]:,.0f} per CPU s), mixing {mixing(stored):.2f}"
            )
        if options.beside:
            versions, left_out = prepare(options.envs, [options.beside])
            print(f"{options.beside}: {versions or left_out}")
        if options.beside and versions:
            theirs = Path(temporary) / "saev"
            write_for_saev(whole, theirs)
            for cold_first in (True, False):
                wall, cpu = saev_speed(theirs, options.envs, options.batches, cold=cold_first)
                name = "cold" if cold_first else "warm"
                print(f"saev {name}: {wall:,.0f}/s ({cpu:,.0f} per CPU s)")


if __name__ == "__main__":
    main()
