"""Stating a hypothesis before it is tested, and finding it again."""

from saecli.catalog.hypotheses import HypothesisInfo, get_hypothesis
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.progress import Progress
from saecli.records import HypothesisReport
from saecli.refs import latent_ref
from saecli.workflows.knockout import register
from saecli.workflows.plans import Plan, plan_of
from saecli.workflows.preparation import Trial, prepare
from saecli.workflows.shelf import Shelf


def state(
    catalog: Catalog,
    invocation: Invocation,
    plan: Plan,
    *,
    statement: str,
    replaces: int | None,
    device: str,
    progress: Progress,
) -> HypothesisReport:
    """Commit a plan that is whole and can be run; no picture is.

    Args:
        statement: the prediction in words.
        replaces: the hypothesis that it mends; None: that of the same claim that was begun.

    Raises:
        SaecliError: if something of the plan is unknown or doesn't fit, too few pictures are
            left, or there is no hypothesis to replace.
    """
    if replaces is not None:
        with catalog.reading() as session:
            get_hypothesis(session, replaces)
    trial = prepare(invocation, plan, Shelf(catalog, device, progress))
    kinds = ("other_latents", "random_directions")
    plan.rule.check(len(trial.subjects), dict.fromkeys(kinds, plan.controls.n))
    stated = register(
        catalog, invocation, trial, statement=statement, registered=True, replaces=replaces
    )
    return told(stated, trial)


def told(stated: HypothesisInfo, trial: Trial) -> HypothesisReport:
    """What a command says of a hypothesis that it committed."""
    concept = trial.plan.concept
    return HypothesisReport(
        number=stated.number,
        hash=stated.hash,
        statement=stated.statement,
        registered=stated.registered,
        replaces=stated.replaces,
        latents=[latent_ref(concept.dictionary, i) for i in concept.latents],
        n_images=len(trial.subjects),
        n_excluded=trial.n_excluded,
        n_excluded_by_group=trial.n_excluded_by_group,
        tested_before=list(stated.tested_before),
    )


def stated_plan(catalog: Catalog, number: int) -> tuple[HypothesisInfo, Plan]:
    """A hypothesis and the plan that it fixes.

    Raises:
        SaecliError: if there is none, or another version of saecli stored it in another form.
    """
    with catalog.reading() as session:
        found = get_hypothesis(session, number)
    return found, plan_of(found)
