"""Knock latents out inside the network, against controls, and keep hypothesis, trials, verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.experiments import begin_experiment, publish_experiment, unfinished_experiment
from saecli.catalog.hypotheses import add_hypothesis
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.catalog.statistics import read_signature, statistics
from saecli.catalog.trials import add_trials, read_trials
from saecli.errors import Interrupted
from saecli.images.sources import ImageFile
from saecli.progress import Progress, Task
from saecli.records import KnockoutReport, as_json
from saecli.workflows.plans import Plan, Trial, prepare
from saecli.workflows.subjects import pixel_loader
from saecli.workflows.verdict import report_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from saecli.experiments.arms import Arm
    from saecli.experiments.controls import ControlSettings
    from saecli.experiments.prefixes import Prefixes
    from saecli.experiments.runner import Figures
    from saecli.experiments.verdicts import Rule

OWN_KNOCKOUTS = 20  # matched sets knocked out at their own size: enough for a mean and a maximum


@dataclass(frozen=True, eq=False)
class Finished:
    """An experiment that was run: its report, its parts, and the edit."""

    report: KnockoutReport
    trial: Trial
    target: "Arm"


def knock_out(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    *,
    device: str,
    progress: Progress,
) -> Finished:
    """Run a plan: the hypothesis first, then every arm on every picture, then the verdict.

    A plan that was interrupted goes on where it stopped.

    Raises:
        SaecliError: if something of the plan is unknown or doesn't fit, the latents never fire,
            or too few pictures are left.
        Interrupted: on Ctrl-C; what was run is kept.
    """
    from saecli.experiments.controls import ControlSettings
    from saecli.experiments.runner import rows, run
    from saecli.experiments.verdicts import DEFAULTS

    rule = DEFAULTS
    settings = ControlSettings(n=plan.controls)
    trial = prepare(catalog, invocation, plan, rule, device, progress)
    rule.check(len(trial.subjects), {})
    hypothesis, experiment = _register(catalog, invocation, plan, trial, rule, settings)
    prefixes = _prefixes(trial, trial.subjects.files)
    arms = _arms(catalog, plan, trial, prefixes, settings, rule)
    if experiment is None:
        with catalog.writing() as session:
            experiment = begin_experiment(
                session,
                invocation.id,
                hypothesis=hypothesis,
                seed=plan.seed,
                image_ids=trial.image_ids,
                arms=[(arm.kind, arm.description) for arm in arms],
            )
    with catalog.reading() as session:
        earlier = {
            one.position: one.figures
            for one in read_trials(session, experiment)
            if one.figures is not None
        }
    figures = dict(earlier)
    try:
        with progress.task("trials", len(trial.subjects), "images") as task:
            task.advance(len(earlier))
            run(
                trial.bench,
                arms,
                prefixes,
                on_pictures=_keeper(catalog, experiment, figures, task),
                regions=trial.regions,
                twins=None if trial.twins is None else _prefixes(trial, trial.twins),
                done=set(earlier),
            )
        without = _run_without(trial, arms[0], progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"experiment {experiment} was interrupted after {len(figures)} of "
            f"{len(trial.subjects)} pictures, which are kept",
            "go on with the same command",
        ) from None
    report = report_of(
        plan, trial, rule, rows(arms), figures, without, experiment=experiment, number=hypothesis
    )
    with catalog.writing() as session:
        publish_experiment(
            session,
            experiment,
            verdict=report.verdict,
            effect=report.effect,
            ci=(report.ci[0], report.ci[1]),
            p_value=report.p_value,
            report=as_json(report),
        )
    return Finished(report, trial, arms[0])


def _register(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    trial: Trial,
    rule: "Rule",
    settings: "ControlSettings",
) -> tuple[int, int | None]:
    """Commit the hypothesis before any picture runs, or find the one that was interrupted."""
    with catalog.writing() as session:
        return _find_or_add(
            session, invocation, plan, trial, plan.as_json(rule, settings, trial.profile)
        )


def _find_or_add(
    session: "Session",
    invocation: Invocation,
    plan: Plan,
    trial: Trial,
    told: Mapping[str, Any],
) -> tuple[int, int | None]:
    found = unfinished_experiment(
        session, concept=plan.concept, probe=trial.probe_row, plan=told, image_ids=trial.image_ids
    )
    if found is not None:
        return found
    number, _ = add_hypothesis(
        session,
        invocation.id,
        statement=plan.statement,
        concept=plan.concept,
        probe=trial.probe_row,
        plan=told,
        registered=False,
    )
    return number, None


def _prefixes(trial: Trial, files: Sequence[Any]) -> "Prefixes":
    from saecli.experiments.prefixes import Prefixes, images_per_batch

    bench = trial.bench
    return Prefixes(
        bench.backbone,
        bench.layer,
        pixel_loader(bench.backbone, files),
        len(files),
        images_per_batch(trial.info.grid.n_patches, bench.dictionary.n_latents),
    )


def _arms(
    catalog: Catalog,
    plan: Plan,
    trial: Trial,
    prefixes: "Prefixes",
    settings: "ControlSettings",
    rule: "Rule",
) -> "list[Arm]":
    """The target first, then every control."""
    import torch

    from saecli.experiments.activity import measure
    from saecli.experiments.arms import LatentArm, ReconstructionArm, TwinArm
    from saecli.experiments.controls import (
        match_latents,
        other_latents,
        own_knockouts,
        random_directions,
    )
    from saecli.experiments.interventions import Edit, Value, parse_scope

    dictionary = trial.bench.dictionary
    latents = plan.concept.latents
    with catalog.reading() as session:
        known = statistics(session, trial.profile)
        _, signature = read_signature(session, trial.profile)
    maxima = torch.from_numpy(known.maximum).to(dictionary.W_dec)
    means = torch.from_numpy(known.total / known.n_patches).to(dictionary.W_dec)
    scope = parse_scope(plan.scope, trial.info.grid)
    edit = Edit(latents, Value.parse(plan.value), scope)
    target = LatentArm("target", 0, dictionary, edit, maxima[list(latents)])
    activity = measure(dictionary, (prefixes[i].patches for i in range(len(prefixes))))
    sets = match_latents(activity, signature, latents, seed=plan.seed, settings=settings)
    others = other_latents(target, sets, seed=plan.seed)
    random = random_directions(target, settings.n, seed=plan.seed)
    rule.check(
        len(trial.subjects), {"other_latents": len(others), "random_directions": len(random)}
    )
    mean_edit = Edit(latents, Value("mean"), scope)
    arms: list[Arm] = [
        target,
        *others,
        *random,
        *own_knockouts(target, sets[:OWN_KNOCKOUTS], maxima),
        ReconstructionArm(dictionary),
        LatentArm("mean_ablation", 0, dictionary, mean_edit, means[list(latents)]),
    ]
    return [*arms, TwinArm()] if trial.twins is not None else arms


def _keeper(
    catalog: Catalog, experiment: int, figures: "dict[int, Figures]", task: Task
) -> "Callable[[dict[int, Figures]], None]":
    def keep(found: "dict[int, Figures]") -> None:
        with catalog.writing() as session:
            add_trials(session, experiment, found.items())
        figures.update(found)
        task.advance(len(found))

    return keep


def _run_without(trial: Trial, target: "Arm", progress: Progress) -> NDArray[np.float64]:
    """What the target edit does to the margin of pictures without the class, (n,)."""
    from saecli.experiments.runner import run

    if not len(trial.without):
        return np.zeros(0)
    changes: dict[int, float] = {}

    def keep(found: "dict[int, Figures]") -> None:
        for position, figures in found.items():
            changes[position] = float(figures["margin"][2] - figures["margin"][0])

    run(trial.bench, [target], _prefixes(trial, trial.without.files), on_pictures=keep)
    return np.array([changes[position] for position in sorted(changes)])


@dataclass(frozen=True, eq=False)
class Segmented:
    """A picture with the classes of its patches, in the probe's numbers; -1 where unlabelled."""

    file: ImageFile
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    truth: NDArray[np.int64] | None


def segmented(finished: Finished, n: int) -> list[Segmented]:
    """The first pictures of a segmentation experiment, before and after the edit."""
    import torch

    from saecli.experiments.arms import Encoded
    from saecli.experiments.margins import patch_labels

    trial, bench = finished.trial, finished.trial.bench
    files = trial.subjects.files[:n]
    masks = trial.masks
    truth: list[NDArray[np.int64] | None] = [None] * len(files)
    if masks is not None:
        place = np.full(len(masks.classes) + 1, -1)
        for number, name in enumerate(bench.probe.classes):
            if name in masks.classes:
                place[masks.classes.index(name)] = number
        found = patch_labels(masks.shares(bench.backbone, files), masks.unlabelled)
        truth = list(place[found])
    prefixes = _prefixes(trial, files)
    sides: list[list[NDArray[np.int64]]] = [[], []]
    with torch.no_grad():
        for number in range(len(prefixes)):
            batch = Encoded.of(bench.dictionary, prefixes[number])
            for side, output in zip(
                sides, (batch.output, finished.target.apply(batch)), strict=True
            ):
                side.extend(bench.logits(output).argmax(dim=-1).cpu().numpy())
    return [
        Segmented(file, before, after, true)
        for file, before, after, true in zip(files, *sides, truth, strict=True)
    ]
