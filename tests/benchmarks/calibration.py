"""`python -m tests.benchmarks.calibration`: how often the verdicts of experiments are right.

On the built-in world, from a catalog that ``saecli train`` made, at the layer of the maths: the
same arms, runner, intervals and rule as ``saecli knockout``.

- ``nulls-a``: targets drawn as the controls are.
- ``nulls-b``: sets chosen by attribution or detection for permuted labels or another attribute,
  without those latents that go with the tested attribute itself.
- ``nulls-one``: the strongest single latent of such a choice.
- ``nulls-raw``: the same choices whole; some hold latents of the true attribute by chance.
- ``power``: true attributes, chosen on one split and tested on another.
- ``coverage``: of the 95 % intervals, by simulation.
- ``specificity``: grounds knocked out of a segmentation.
- ``speed``: time beside the passes that can't be done without, and memory.

Every finished experiment is a line of ``OUT/PART.jsonl``; the same command goes on where it
stopped. The figures are printed as a table and written to ``OUT/figures.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saecli.demo.world import GROUNDS, SPECIES
from tests.benchmarks import coverage, speed
from tests.benchmarks.grounds import Grounds, specificity
from tests.benchmarks.nulls import PIPELINES, Made, Nulls, null
from tests.benchmarks.power import power_of, testable
from tests.benchmarks.sides import NAMES, SELECTION, TEST, Pool, Side, load_side
from tests.benchmarks.summary import SUMMARIES
from tests.benchmarks.tables import show

Work = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    """How much is run."""

    catalog: Path | None = None
    seed: int = 0  # of the choices, and of the world: run 0 is the one that the rule was tuned on
    nulls: int = 440  # experiments of each kind of null: 400 and those that are refused
    dinov2_nulls: int = 60  # of them on DINOv2, whose arms cost five times as much as CLIP's
    null_images: int = 20  # the fewest that are allowed
    null_controls: int = 19  # of each kind: the fewest that reach α = 0.05 = 1/20
    power_images: int = 40
    power_controls: int = 39
    power_without: int = 100  # pictures without the species, as in an experiment
    pool: int = 40  # pictures of each species, for choosing and for testing
    grounds: int = 40  # pictures of each ground, for choosing and for testing
    repeats: int = 1_000  # simulated data sets of each case
    speed_images: int = 200
    sides: tuple[str, ...] = field(default=NAMES)


class Laboratory:
    """Loads each side and its pictures once, and only when they are needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cache  # noqa: B019  (one laboratory a process)
    def nulls(self, name: str, raw: bool = False) -> Nulls:
        if raw:
            same = self.nulls(name)
            return Nulls(same.side, same.selection, same.test, same.species, raw=True)
        side = load_side(self.settings.catalog, name)
        test = self._pool(side, TEST)
        return Nulls(side, self._pool(side, SELECTION), test, testable(side, test))

    def _pool(self, side: Side, world: int) -> Pool:
        return Pool(side, world + 2 * self.settings.seed, self.settings.pool)

    def side(self, name: str) -> Side:
        return self.nulls(name).side

    @cache  # noqa: B019
    def grounds(self) -> tuple[Side, Grounds, Grounds]:
        side = load_side(self.settings.catalog, "dinov2", "ground")
        n, more = self.settings.grounds, 2 * self.settings.seed
        return side, Grounds(side, SELECTION + more, n), Grounds(side, TEST + more, n)


def _nulls(
    lab: Laboratory,
    part: int,
    makers: dict[str, Callable[[Nulls, Any], Made | None]],
    *,
    raw: bool = False,
) -> Iterator[tuple[str, Work]]:
    chosen = lab.settings
    counts = {"clip": chosen.nulls - chosen.dinov2_nulls, "dinov2": chosen.dinov2_nulls}
    for side in chosen.sides:
        s = NAMES.index(side)
        for i in range(counts[side]):
            for k, (kind, make) in enumerate(makers.items()):

                def work(
                    side: str = side, kind: str = kind, make: Any = make, seed: Any = (s, i, k)
                ) -> dict[str, Any]:
                    found = null(
                        lab.nulls(side, raw),
                        make,
                        (chosen.seed, part, *seed),
                        chosen.null_images,
                        chosen.null_controls,
                    )
                    return {"side": side, "kind": kind, **found}

                yield f"{side} {kind} {i}", work


def nulls_a(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    yield from _nulls(lab, 0, {"like-controls": Nulls.like_controls})


def nulls_b(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    yield from _nulls(lab, 1, PIPELINES)


def nulls_one(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    yield from _nulls(lab, 2, {"strongest": Nulls.strongest})


def nulls_raw(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    yield from _nulls(lab, 1, PIPELINES, raw=True)


def power(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    chosen = lab.settings
    for side in chosen.sides:
        for species in SPECIES:

            def work(side: str = side, species: str = species) -> dict[str, Any]:
                parts = lab.nulls(side)
                rng = np.random.default_rng(chosen.seed)
                elsewhere = parts.test.others(species, chosen.power_without, rng)
                sizes = (chosen.power_images, chosen.power_controls)
                found = power_of(
                    parts.side, parts.selection, parts.test, elsewhere, species, *sizes
                )
                return {"side": side, **found}

            yield f"{side} {species}", work


def simulated(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    for number, name in enumerate(coverage.names()):

        def work(number: int = number) -> dict[str, Any]:
            return coverage.simulate(number, lab.settings.seed, lab.settings.repeats)

        yield name, work


def grounds(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    for ground in GROUNDS:
        yield ground, lambda ground=ground: specificity(*lab.grounds(), ground)


def speeds(lab: Laboratory) -> Iterator[tuple[str, Work]]:
    for side in lab.settings.sides:

        def timed(side: str = side) -> dict[str, Any]:
            return {"side": side, **speed.speed(lab.side(side), lab.settings.speed_images)}

        yield f"{side} time", timed
        yield (
            f"{side} memory",
            lambda side=side: {"side": side, **speed.memory(lab.settings.catalog, side)},
        )


PARTS: dict[str, Callable[[Laboratory], Iterator[tuple[str, Work]]]] = {
    "coverage": simulated,
    "speed": speeds,
    "specificity": grounds,
    "power": power,
    "nulls-a": nulls_a,
    "nulls-b": nulls_b,
    "nulls-one": nulls_one,
    "nulls-raw": nulls_raw,
}


def run_part(name: str, lab: Laboratory, out: Path) -> dict[str, Any]:
    """Run what is missing of a part and sum it up."""
    file = out / f"{name}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    done = {record["key"]: record for record in map(json.loads, lines)}
    records = []
    with file.open("a") as kept:
        for key, work in PARTS[name](lab):
            if key not in done:
                start, cpu = time.perf_counter(), time.process_time()
                done[key] = {"key": key, **work()}
                done[key]["seconds"] = round(time.perf_counter() - start, 3)
                done[key]["cpu_seconds"] = round(time.process_time() - cpu, 3)
                kept.write(json.dumps(done[key]) + "\n")
                kept.flush()
            records.append(done[key])
    told = SUMMARIES[name](records)
    told["minutes"] = round(sum(record["seconds"] for record in records) / 60, 1)
    told["cpu_minutes"] = round(sum(record["cpu_seconds"] for record in records) / 60, 1)
    return told


def _check_settings(file: Path, settled: dict[str, Any], parser: argparse.ArgumentParser) -> None:
    """Keep the settings beside the records; go on only where they are the same but for size."""
    free = {"sides", "nulls", "dinov2_nulls"}  # more of the same
    fixed = {name: value for name, value in settled.items() if name not in free}
    if file.exists() and (kept := json.loads(file.read_text())) != fixed:
        other = sorted(name for name in fixed if kept.get(name) != fixed[name])
        parser.error(
            f"{file.parent} holds records of another {', '.join(other)}; give another --out"
        )
    file.write_text(json.dumps(fixed, indent=1) + "\n")


def main() -> None:
    """Run the parts and show their figures."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.calibration",
        description=(__doc__ or "").split("\n\n")[0].split(": ", 1)[1],
    )
    parser.add_argument("--catalog", type=Path, help="made by saecli train; else ./catalog.db")
    parser.add_argument("--out", type=Path, default=Path("calibration"), help="folder of records")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--threads", type=int, help="of torch; else all cores")
    for name, value in asdict(Settings()).items():
        if isinstance(value, int):
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--sides", type=lambda text: tuple(text.split(",")), default=NAMES)
    given = vars(parser.parse_args())
    out, wanted, threads = given.pop("out"), given.pop("only").split(","), given.pop("threads")
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {unknown[0]}; name some of {', '.join(PARTS)}")
    if threads:
        torch.set_num_threads(threads)
    settings = Settings(**given)
    out.mkdir(parents=True, exist_ok=True)
    settled = {name: str(value) if name == "catalog" else value for name, value in given.items()}
    _check_settings(out / "settings.json", settled, parser)
    lab, file = Laboratory(settings), out / "figures.json"
    figures = json.loads(file.read_text()) if file.exists() else {}
    for name in wanted:
        figures[name] = {"settings": settled, **run_part(name, lab, out)}
        file.write_text(json.dumps(figures, indent=1) + "\n")
        show(name, figures[name])


if __name__ == "__main__":
    main()
