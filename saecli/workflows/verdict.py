"""The figures of an experiment put into its report."""

from typing import TYPE_CHECKING, Any

import numpy as np

from saecli.records import ClassProbability, ControlReport, KnockoutReport
from saecli.refs import latent_ref

if TYPE_CHECKING:
    from saecli.experiments.results import Results
    from saecli.experiments.verdicts import Judgement
    from saecli.workflows.knockout import Ran
    from saecli.workflows.plans import Plan
    from saecli.workflows.preparation import Trial

CONTROLS = ("other_latents", "random_directions")
TOP_CLASSES = 6  # of the probabilities before and after


def report_of(ran: "Ran") -> KnockoutReport:
    """Judge an experiment whose every picture was run, by the rule of its plan."""
    from saecli.experiments.results import Results
    from saecli.experiments.verdicts import judge

    trial, plan, rule = ran.trial, ran.trial.plan, ran.trial.plan.rule
    results = Results.of(ran.rows, ran.figures)
    segmentation = trial.bench.probe.task == "segmentation"
    judged = judge(
        results.margins("baseline")[:, 0],
        results.margins("target")[:, 0],
        {kind: results.effects(kind) for kind in CONTROLS},
        results.changes_without() if segmentation else ran.without,
        seed=plan.seed,
        rule=rule,
        groups=trial.groups,
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
        seed=plan.seed,
        flipped=_flipped(results, "target", plan),
        changed=_changed(results, "target") if segmentation else None,
        controls={kind: _control(results, kind, judged, plan, segmentation) for kind in CONTROLS},
        zero_edit={"max_abs_difference": results.zero_difference()},
        ceiling=_ceiling(results, plan) if trial.twins is not None else None,
        specificity={"effect_without": judged.effect_without, "holds": judged.specific},
        verdict=judged.verdict,
        before=_probabilities(results, trial, 0),
        after=_probabilities(results, trial, 1),
        extras={
            "baseline_margin": judged.baseline,
            "reasons": list(judged.reasons),
            "by_prediction": trial.by_prediction,
            "n_repeated": trial.n_repeated,
            "without": {"images": list(trial.without_ids), "changes": ran.without.tolist()},
            "residual_activation": _plain(results.residual()),
            "edit_norm": _plain(results.edit_norm()),
            "own_knockouts": _own(results),
            "reconstruction": {"effect": float(results.effects("reconstruction")[0])},
            "mean_ablation": {"effect": float(results.effects("mean_ablation")[0])},
            "control_effects": {kind: results.effects(kind).tolist() for kind in CONTROLS},
        },
    )


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value


def _mean_share(shares: list[tuple[float, float]], part: int) -> float | None:
    values = [pair[part] for pair in shares]
    return _plain(float(np.mean(values))) if values else None


def _flipped(results: "Results", kind: str, plan: "Plan") -> dict[str, float | None]:
    """Mean over the arms of a kind of the shares that left A, and that became B."""
    shares = results.flipped(kind)
    return {
        "from_class": _mean_share(shares, 0),
        "to_expected": _mean_share(shares, 1) if plan.expect else None,
    }


def _changed(results: "Results", kind: str) -> dict[str, float | None]:
    shares = results.changed(kind)
    return {"target": _mean_share(shares, 0), "other": _mean_share(shares, 1)}


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
        flipped=_flipped(results, kind, plan),
        changed=_changed(results, kind) if segmentation else None,
    )


def _own(results: "Results") -> dict[str, Any]:
    effects = results.effects("own_knockout")
    return {
        "n": len(effects),
        "mean": float(effects.mean()) if len(effects) else None,
        "max": float(effects.min()) if len(effects) else None,
    }


def _ceiling(results: "Results", plan: "Plan") -> dict[str, Any]:
    return {
        "effect": float(results.effects("twin")[0]),
        "flipped": _flipped(results, "twin", plan),
    }


def _probabilities(results: "Results", trial: "Trial", side: int) -> list[ClassProbability]:
    """The classes most probable before or after; the same ones on both sides."""
    both = np.stack(results.probabilities())
    order = np.argsort(-both.max(axis=0), kind="stable")[:TOP_CLASSES]
    classes = trial.bench.probe.classes
    return [ClassProbability(classes[i], float(both[side, i])) for i in order]
