"""Knock latents out inside the network, against controls, and keep hypothesis, trials, verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.experiments import begin_experiment, publish_experiment, unfinished_experiment
from saecli.catalog.hypotheses import add_hypothesis
from saecli.catalog.images import add_image
from saecli.catalog.invocations import Invocation
from saecli.catalog.observations import selecting_images
from saecli.catalog.opening import Catalog
from saecli.catalog.probes import ProbeInfo, get_probe, read_probe
from saecli.catalog.profiles import get_profile
from saecli.catalog.statistics import read_signature, statistics
from saecli.catalog.trials import add_trials, read_trials
from saecli.errors import Interrupted, SaecliError
from saecli.progress import Progress, Task
from saecli.records import KnockoutReport, as_json
from saecli.refs import Concept
from saecli.workflows.models import backbone_of, load_dictionary
from saecli.workflows.pictures import open_pictures
from saecli.workflows.subjects import (
    Masks,
    Subjects,
    class_index,
    pixel_loader,
    read_subjects,
    with_class,
)
from saecli.workflows.twins import find_twins
from saecli.workflows.verdict import report_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from saecli.experiments.arms import Arm
    from saecli.experiments.controls import ControlSettings
    from saecli.experiments.prefixes import Prefixes
    from saecli.experiments.runner import Bench, Figures, Regions
    from saecli.experiments.verdicts import Rule

OWN_KNOCKOUTS = 20  # matched sets knocked out at their own size: enough for a mean and a maximum
WITHOUT = 100  # pictures without the class on which specificity is measured


@dataclass(frozen=True)
class Plan:
    """Everything that decides an experiment; stored with the hypothesis before it runs.

    Attributes:
        concept: the latents, of one dictionary.
        images: by any name that ``--images`` takes.
        probe: whose margin is measured.
        class_name: A, whose margin is expected to fall.
        expect: B, in whose favour; None for the log-odds of A.
        value: what the latents are set to.
        scope: where.
        controls: of each kind.
        seed: of controls, intervals and the choice of pictures without A.
        masks: folder of masks (segmentation); None: beside the pictures, else predicted.
        twins: folder of counterfactual twins, or None.
        n_images: only so many of the set's pictures, or None.
    """

    concept: Concept
    images: str
    probe: str
    class_name: str
    expect: str | None = None
    value: str = "ablate"
    scope: str = "active"
    controls: int = 99
    seed: int = 0
    masks: Path | None = None
    twins: Path | None = None
    n_images: int | None = None

    def as_json(self, rule: "Rule", control: "ControlSettings") -> dict[str, Any]:
        """As plain values, with the rule and the choice of controls."""
        told: dict[str, Any] = as_json(self)
        return told | {"rule": asdict(rule), "control_settings": asdict(control)}

    @property
    def statement(self) -> str:
        """The hypothesis in words."""
        favour = f" in favour of {self.expect}" if self.expect else ""
        return f"suppressing {self.concept} lowers the prediction of {self.class_name}{favour}"


@dataclass(frozen=True, eq=False)
class Trial:
    """An experiment's parts, loaded and checked."""

    info: DictionaryInfo
    probe_row: ProbeInfo
    bench: "Bench"
    subjects: Subjects
    image_ids: tuple[int, ...]
    without: Subjects
    n_excluded: int
    regions: "Regions | None"
    twins: "tuple[Any, ...] | None"
    by_prediction: bool


def knock_out(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    *,
    device: str,
    progress: Progress,
) -> KnockoutReport:
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
    trial = _prepare(catalog, invocation, plan, rule, device, progress)
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
    return report


def _prepare(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    rule: "Rule",
    device: str,
    progress: Progress,
) -> Trial:
    from saecli.experiments.interventions import Value, parse_scope
    from saecli.experiments.margins import Contrast, target_patches
    from saecli.experiments.probes import Probe
    from saecli.experiments.runner import Bench, Regions

    with catalog.reading() as session:
        info, _ = get_latents(session, plan.concept)
        probe_row = get_probe(session, plan.probe)
        probe = Probe.from_bytes(read_probe(session, probe_row))
        used = selecting_images(session, plan.concept)
    Value.parse(plan.value)
    parse_scope(plan.scope, info.grid)
    a = class_index(probe, plan.class_name)
    b = None if plan.expect is None else class_index(probe, plan.expect)
    source = open_pictures(plan.images, progress, n_images=plan.n_images)
    backbone = backbone_of(info, progress, device=device)
    probe = probe.to(backbone.device)
    bench = Bench(
        backbone,
        load_dictionary(catalog, info, str(backbone.device)),
        probe,
        Contrast(a, b),
    )
    bench.check()
    segmentation = probe.task == "segmentation"
    masks = Masks.find(source, plan.masks) if segmentation else None
    chosen, rest, by_prediction = with_class(backbone, probe, a, source, masks, progress)
    subjects = read_subjects(source, chosen, progress)
    with catalog.writing() as session:
        ids = [add_image(session, invocation.id, picture) for picture in subjects.pictures()]
    kept = [place for place, image in enumerate(ids) if image not in used]
    n_excluded = len(ids) - len(kept)
    if len(kept) < rule.least_images:
        taken = f", {n_excluded} left out because they helped to choose the latents" * bool(
            n_excluded
        )
        raise SaecliError(
            f"{len(kept)} pictures of '{plan.class_name}' are left to test on{taken}",
            f"give at least {rule.least_images} that no recorded selection of the latents used",
        )
    subjects = subjects.keep(kept)
    regions = None
    if masks is not None:
        shares = masks.shares(backbone, subjects.files)
        regions = Regions(*target_patches(shares, masks.index(plan.class_name), masks.unlabelled))
    elsewhere = [] if segmentation else _sample(rest, plan.seed)
    return Trial(
        info=info,
        probe_row=probe_row,
        bench=bench,
        subjects=subjects,
        image_ids=tuple(ids[place] for place in kept),
        without=read_subjects(source, elsewhere, progress),
        n_excluded=n_excluded,
        regions=regions,
        twins=None if plan.twins is None else find_twins(plan.twins, subjects.files),
        by_prediction=by_prediction,
    )


def _sample(files: Sequence[Any], seed: int) -> list[Any]:
    """At most so many of the pictures without the class, drawn by the seed."""
    if len(files) <= WITHOUT:
        return list(files)
    drawn = np.random.default_rng([seed, 3]).choice(len(files), WITHOUT, replace=False)
    return [files[int(place)] for place in np.sort(drawn)]


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
        return _find_or_add(session, invocation, plan, trial, plan.as_json(rule, settings))


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
        profile = get_profile(session, trial.info)
        known = statistics(session, profile)
        _, signature = read_signature(session, profile)
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
