"""The figures of an experiment put into its report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saecli.records import ClassProbability, ControlReport, FamilyPlace, KnockoutReport
from saecli.refs import latent_ref
from saecli.workflows.arm_reports import (
    arm_reports,
    ceiling,
    changed,
    changed_ci,
    dose_reports,
    flipped,
    flipped_ci,
    plain,
)

if TYPE_CHECKING:
    from saecli.experiments.results import Results
    from saecli.experiments.verdicts import Judgement
    from saecli.workflows.knockout import Ran
    from saecli.workflows.plans import Plan
    from saecli.workflows.preparation import Trial

CONTROLS = ("other_latents", "random_directions")
TOP_CLASSES = 6  # of the probabilities before and after


def report_of(ran: "Ran", place: FamilyPlace | None = None) -> KnockoutReport:
    """Judge an experiment whose every picture was run, by the rule of its plan.

    Args:
        place: among hypotheses that are tested together: its adjusted p decides.
    """
    from saecli.experiments.results import Results
    from saecli.experiments.verdicts import judge

    trial, plan, rule = ran.trial, ran.trial.plan, ran.trial.plan.rule
    results = Results.of(ran.rows, ran.figures)
    segmentation = trial.bench.probe.task == "segmentation"
    without_groups = ran.groups if segmentation else trial.without_groups
    judged = judge(
        results.margins("baseline")[:, 0],
        results.margins("target")[:, 0],
        {kind: results.effects(kind) for kind in CONTROLS},
        results.changes_without() if segmentation else ran.without,
        seed=plan.seed,
        rule=rule,
        groups=ran.groups,
        groups_without=without_groups,
        adjusted_p=None if place is None else place.holm_p,
    )
    return KnockoutReport(
        experiment=ran.experiment,
        hypothesis=ran.hypothesis.number,
        registered=ran.hypothesis.registered,
        latents=[latent_ref(plan.concept.dictionary, i) for i in plan.concept.latents],
        value=plan.value,
        scope=plan.scope,
        class_=plan.class_name,
        expect=plan.expect,
        n_images=results.n_images,
        n_excluded=trial.n_excluded,
        effect=judged.effect,
        ci=list(judged.interval),
        p_value=judged.p_value,
        alpha=rule.alpha,
        smallest_effect=judged.smallest_effect,
        excess_ci=list(judged.excess),
        seed=plan.seed,
        flipped=flipped(results, "target", plan),
        changed=changed(results, "target") if segmentation else None,
        controls={kind: _control(results, kind, judged, plan, segmentation) for kind in CONTROLS},
        zero_edit={"max_abs_difference": results.zero_difference()},
        ceiling=ceiling(results, plan, ran.groups),
        specificity=_specificity(judged, plan, without_groups),
        verdict=judged.verdict,
        before=_probabilities(results, trial, 0),
        after=_probabilities(results, trial, 1),
        arms=arm_reports(results, plan, segmentation, ran.groups),
        doses=dose_reports(results, plan, segmentation, ran.groups, judged.smallest_effect),
        family=place,
        labels=trial.labels,
        n_excluded_by_group=trial.n_excluded_by_group,
        flipped_ci=flipped_ci(results, "target", plan, ran.groups)[0],
        changed_ci=(changed_ci(results, "target", plan, ran.groups)[0] if segmentation else None),
        replaces=ran.hypothesis.replaces,
        n_earlier=ran.n_earlier,
        tested_before=list(ran.hypothesis.tested_before),
        extras={
            "baseline_margin": judged.baseline,
            "reasons": list(judged.reasons),
            "most_without": rule.most_without,
            "by_prediction": trial.by_prediction,
            "n_repeated": trial.n_repeated,
            "without": {"images": list(trial.without_ids), "changes": ran.without.tolist()},
            "residual_activation": plain(results.residual()),
            "edit_norm": plain(results.edit_norm()),
            **({} if ran.rerun_of is None else {"rerun_of": ran.rerun_of}),
            "control_effects": {kind: results.effects(kind).tolist() for kind in CONTROLS},
        },
    )


def p_value_of(ran: "Ran") -> float:
    """The p-value that :func:`report_of` gives, without the rest."""
    from saecli.experiments.results import Results
    from saecli.experiments.verdicts import rank_p

    results = Results.of(ran.rows, ran.figures)
    effect = float(results.effects("target")[0])
    return max(rank_p(effect, results.effects(kind)) for kind in CONTROLS)


def _specificity(judged: "Judgement", plan: "Plan", groups: Sequence[str] | None) -> dict[str, Any]:
    low_high = judged.interval_without
    return {
        "effect_without": judged.effect_without,
        "holds": judged.specific,
        "ci_without": None if low_high is None else list(low_high),
        "absolute_without": judged.absolute_without,
        "n_without": judged.n_without,
        "least_without": plan.rule.least_images,
        "unit_without": "picture" if groups is None else "group",
    }


def _control(
    results: "Results", kind: str, judged: "Judgement", plan: "Plan", segmentation: bool
) -> ControlReport:
    effects = results.effects(kind)
    return ControlReport(
        n=len(effects),
        mean=float(effects.mean()),
        sd=float(effects.std(ddof=1)) if len(effects) > 1 else 0.0,
        # The strongest control is the one that lowers the margin most.
        max=float(effects.min()),
        p_value=judged.p_values[kind],
        flipped=flipped(results, kind, plan),
        changed=changed(results, kind) if segmentation else None,
    )


def _probabilities(results: "Results", trial: "Trial", side: int) -> list[ClassProbability]:
    """The classes most probable before or after; the same ones on both sides."""
    both = np.stack(results.probabilities())
    order = np.argsort(-both.max(axis=0), kind="stable")[:TOP_CLASSES]
    classes = trial.bench.probe.classes
    return [ClassProbability(classes[i], float(both[side, i])) for i in order]
