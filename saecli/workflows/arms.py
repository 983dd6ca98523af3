"""The arms of an experiment: the target edit first, then every control."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from saecli.catalog.opening import Catalog
from saecli.catalog.statistics import read_signature, statistics
from saecli.workflows.preparation import Trial
from saecli.workflows.subjects import pixel_loader

if TYPE_CHECKING:
    from saecli.experiments.arms import Arm
    from saecli.experiments.prefixes import Prefixes

OWN_KNOCKOUTS = 20  # matched sets knocked out at their own size: enough for a mean and a maximum


def arms_of(catalog: Catalog, trial: Trial, prefixes: "Prefixes") -> "list[Arm]":
    """The arms of a plan.

    Args:
        catalog: with the dictionary's profile.
        trial: the experiment's parts.
        prefixes: of its pictures; they decide which latents match the target's.

    Raises:
        SaecliError: if the latents never fire there, or too few others do.
    """
    import torch

    from saecli.experiments.activity import measure
    from saecli.experiments.arms import LatentArm, ReconstructionArm, TwinArm
    from saecli.experiments.controls import (
        match_latents,
        other_latents,
        own_knockouts,
        random_directions,
    )
    from saecli.experiments.doses import dose_arms
    from saecli.experiments.influence import influence
    from saecli.experiments.interventions import Edit, Value, parse_scope

    plan, dictionary = trial.plan, trial.bench.dictionary
    latents = plan.concept.latents
    with catalog.reading() as session:
        known = statistics(session, trial.profile)
        _, signature = read_signature(session, trial.profile)
    maxima = torch.from_numpy(known.maximum).to(dictionary.W_dec)
    means = torch.from_numpy(known.total / known.n_patches).to(dictionary.W_dec)
    scope = parse_scope(plan.scope, trial.info.grid)
    edit = Edit(latents, Value.parse(plan.value), scope)
    target = LatentArm("target", 0, dictionary, edit, maxima[list(latents)])
    batches = range(len(prefixes))
    sets = match_latents(
        measure(dictionary, (prefixes[i].patches for i in batches)),
        signature,
        latents,
        seed=plan.seed,
        settings=plan.controls,
        influence=influence(
            trial.bench,
            target,
            (prefixes[i] for i in batches),
            seed=plan.seed,
            settings=plan.controls,
        ),
    )
    others = other_latents(target, sets, seed=plan.seed)
    random = random_directions(target, plan.controls.n, seed=plan.seed)
    plan.rule.check(
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
    if trial.twins is not None:
        arms.append(TwinArm())
    return [*arms, *dose_arms(target, plan.doses, seed=plan.seed)]


def prefixes_of(trial: Trial, files: Sequence[Any]) -> "Prefixes":
    """The backbone up to the edited layer on some pictures."""
    from saecli.experiments.prefixes import Prefixes, images_per_batch

    bench = trial.bench
    return Prefixes(
        bench.backbone,
        bench.layer,
        pixel_loader(bench.backbone, files),
        len(files),
        images_per_batch(trial.info.grid.n_patches, bench.dictionary.n_latents),
    )
