"""One experiment on recorded pictures, as ``saecli knockout`` runs it, without a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from saecli.backbones.protocol import LayerOutput
from saecli.errors import SaecliError
from saecli.experiments.activity import measure
from saecli.experiments.arms import Arm, LatentArm, TwinArm
from saecli.experiments.controls import (
    ControlSettings,
    match_latents,
    other_latents,
    random_directions,
)
from saecli.experiments.influence import influence
from saecli.experiments.interventions import Edit, Value
from saecli.experiments.results import Results
from saecli.experiments.runner import Bench, Figures, rows, run
from saecli.experiments.verdicts import DEFAULTS, Rule, judge
from tests.benchmarks.sides import BATCH, Side

KINDS = ("other_latents", "random_directions")


class Batches:
    """Recorded pictures in the batches of an experiment: stands for ``Prefixes``."""

    def __init__(self, output: LayerOutput, batch: int = BATCH) -> None:
        self.output, self.batch = output, batch

    def __len__(self) -> int:
        return -(-len(self.output.tokens) // self.batch)

    def positions(self, number: int) -> npt.NDArray[np.int64]:
        start = number * self.batch
        return np.arange(start, min(start + self.batch, len(self.output.tokens)))

    def __getitem__(self, number: int) -> LayerOutput:
        tokens = self.output.tokens[number * self.batch : (number + 1) * self.batch]
        return LayerOutput(tokens, self.output.n_prefix)


def collect(
    bench: Bench, arms: Sequence[Arm], shown: LayerOutput, twins: LayerOutput | None = None
) -> Results:
    """Every arm on every picture."""
    pictures: dict[int, Figures] = {}
    run(
        bench,
        arms,
        Batches(shown),  # type: ignore[arg-type]
        on_pictures=pictures.update,
        twins=None if twins is None else Batches(twins),  # type: ignore[arg-type]
    )
    return Results.of(rows(arms), pictures)


def target_arm(
    side: Side, latents: Sequence[int], value: str = "ablate", scope: Any = "active"
) -> LatentArm:
    """The edit that is tested."""
    edit = Edit(tuple(latents), Value.parse(value), scope)
    return LatentArm("target", 0, side.dictionary, edit, side.maxima[list(latents)])


def experiment(
    side: Side,
    a: str,
    b: str | None,
    latents: Sequence[int],
    shown: LayerOutput,
    without: LayerOutput,
    *,
    n_controls: int,
    seed: int,
    twins: LayerOutput | None = None,
    rule: Rule = DEFAULTS,
) -> dict[str, Any]:
    """Judge a knock-out of latents; where it is refused, the sentence."""
    bench, target = side.bench(a, b), target_arm(side, latents)
    try:
        sets = match_latents(
            measure(side.dictionary, [shown.patches]),
            side.signature,
            target.edit.latents,
            seed=seed,
            settings=ControlSettings(n=n_controls),
            influence=influence(bench, target, [shown], seed=seed),
        )
        rule.check(len(shown.tokens), dict.fromkeys(KINDS, len(sets)))
    except SaecliError as error:
        return {"refused": error.problem}
    arms: list[Arm] = [
        target,
        *other_latents(target, sets, seed=seed),
        *random_directions(target, n_controls, seed=seed),
    ]
    if twins is not None:
        arms.append(TwinArm())
    found = collect(bench, arms, shown, twins)
    elsewhere = collect(bench, [target], without)
    judged = judge(
        found.margins("baseline")[:, 0],
        found.margins("target")[:, 0],
        {kind: found.effects(kind) for kind in KINDS},
        elsewhere.margins("target")[:, 0] - elsewhere.margins("baseline")[:, 0],
        seed=seed,
        rule=rule,
    )
    told = {
        "verdict": judged.verdict,
        "reasons": list(judged.reasons),
        "effect": judged.effect,
        "interval": list(judged.interval),
        "baseline": judged.baseline,
        "without": judged.effect_without,
        "p": judged.p_value,
        "p_values": judged.p_values,
        "flipped": found.flipped("target")[0][1],
        "controls": {
            kind: [float(found.effects(kind).mean()), float(found.effects(kind).std())]
            for kind in KINDS
        },
    }
    if twins is not None:
        told["ceiling"] = float(found.effects("twin")[0])
    return told
