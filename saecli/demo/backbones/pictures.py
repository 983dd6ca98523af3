"""The pictures that the backbones learn from, rendered once into one large array file."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saecli.demo.world import IMAGE_SIZE, Picture, caption, render

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True)
class PoolSettings:
    """The pool of training pictures.

    Attributes:
        n_pictures: pictures in the pool; 38 KB each.
        seed: the world's seed; evaluation uses other ones, below 1000.
        birds: share of birds.
        landscapes: share of landscapes; the rest are postcards.
        n_captions: captions drawn per picture; a training step uses one of them.
    """

    n_pictures: int = 72_000
    seed: int = 1000
    birds: float = 0.60
    landscapes: float = 0.15
    n_captions: int = 12


@dataclass(frozen=True)
class Pool:
    """Rendered pictures and what CLIP is told about them.

    Attributes:
        pixels: (N, 112, 112, 3) uint8, mapped from the file.
        captions: N lists of captions.
        concepts: N names, None where the picture is no postcard.
    """

    pixels: Pixels
    captions: list[list[str]]
    concepts: list[str | None]


def draw_picture(settings: PoolSettings, index: int) -> tuple[Picture, list[str]]:
    """The picture of an index and its captions, whatever else was drawn before."""
    rng = np.random.default_rng((settings.seed, index, 1))
    chance = rng.random()
    kind = "bird" if chance < settings.birds else "landscape"
    if chance >= settings.birds + settings.landscapes:
        kind = "postcard"
    picture = render(settings.seed, index, kind=kind)
    return picture, [caption(picture, rng) for _ in range(settings.n_captions)]


def _draw_block(job: tuple[PoolSettings, Path, int, int]) -> list[str]:
    settings, path, start, stop = job
    pixels = np.lib.format.open_memmap(path, mode="r+")
    lines = []
    for index in range(start, stop):
        picture, captions = draw_picture(settings, index)
        pixels[index] = picture.image
        facts = {"concept": picture.concept, "symbol": picture.symbol, "captions": captions}
        lines.append(json.dumps(facts))
    return lines


def render_pool(settings: PoolSettings, folder: Path, workers: int = 2) -> None:
    """Render the pool into `pictures.npy` and `captions.jsonl` in a folder.

    Args:
        settings: what to render.
        folder: made if missing; its older pool is replaced.
        workers: processes to render with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "pictures.part.npy"
    shape = (settings.n_pictures, IMAGE_SIZE, IMAGE_SIZE, 3)
    np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape).flush()
    block = 500
    jobs = [
        (settings, part, start, min(start + block, settings.n_pictures))
        for start in range(0, settings.n_pictures, block)
    ]
    with (
        multiprocessing.get_context("spawn").Pool(workers) as processes,
        (folder / "captions.jsonl").open("w") as out,
    ):
        for lines in processes.imap(_draw_block, jobs):
            out.writelines(f"{line}\n" for line in lines)
    part.replace(folder / "pictures.npy")


def open_pool(folder: Path) -> Pool:
    """The pool that `render_pool` wrote."""
    facts = [json.loads(line) for line in (folder / "captions.jsonl").open()]
    return Pool(
        pixels=np.load(folder / "pictures.npy", mmap_mode="r"),
        captions=[fact["captions"] for fact in facts],
        concepts=[fact["concept"] for fact in facts],
    )
