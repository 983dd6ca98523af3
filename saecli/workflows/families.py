"""Many hypotheses tested together: all committed first, all run, then judged at once.

A family that :func:`state_family` committed is registered; one that the run itself commits is
exploratory, as a single hypothesis would be. No verdict of a family is published before all its
experiments have run, so that no one stops where it suits; an interrupted family goes on with the
same command, experiment by experiment.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saecli.catalog.hypotheses import HypothesisInfo
from saecli.catalog.invocations import Invocation
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records import (
    FamilyPlace,
    FamilyReport,
    HypothesisReport,
    KnockoutReport,
    Protocol,
    ProtocolArm,
    ProtocolClass,
)
from saecli.refs import Concept, parse_latent
from saecli.workflows.arms import arms_of, prefixes_of
from saecli.workflows.detect import detect_latents
from saecli.workflows.examples import by_folders, by_masks
from saecli.workflows.family_plans import Choice, Entry, where
from saecli.workflows.knockout import Finished, Ran, publish, register, run_trials
from saecli.workflows.preparation import Trial, prepare
from saecli.workflows.shelf import Shelf
from saecli.workflows.stating import told
from saecli.workflows.verdict import p_value_of, report_of

if TYPE_CHECKING:
    from saecli.activations.settings import CacheSettings
    from saecli.experiments.protocol import Changed

PROTOCOL = {
    "random_vector": "random_directions",
    "random_feature": "own_knockout",
    "automatic": "target",
    "manual": "target",
}
"""The ways to choose what is suppressed, with the kind of arm that shows each.

A random feature is not any other latent: it is matched in how often and how strongly it fires and
in influence, so its column is no estimate of what latents drawn blindly would do.
"""


def state_family(
    catalog: Catalog,
    invocation: Invocation,
    path: Path,
    entries: Sequence[Entry],
    *,
    device: str,
    cache: "CacheSettings",
    progress: Progress,
) -> list[HypothesisReport]:
    """Commit every hypothesis of a plan file as registered, and run none.

    Args, Raises: as for :func:`run_family`.
    """
    choose = _Chooser(catalog, invocation, device, cache, progress)
    shelf = Shelf(catalog, device, progress)
    trials, stated = _commit(invocation, shelf, path, entries, choose, registered=True)
    return [told(one, trial) for one, trial in zip(stated, trials, strict=True)]


def run_family(
    catalog: Catalog,
    invocation: Invocation,
    path: Path,
    entries: Sequence[Entry],
    *,
    device: str,
    cache: "CacheSettings",
    progress: Progress,
) -> tuple[FamilyReport, list[Finished]]:
    """Commit every hypothesis of a plan file, run every experiment, and judge them together.

    Args:
        path: of the file, for what is said.
        entries: what :func:`saecli.workflows.family_plans.read_family` read.
        cache: of the activations that `auto` latents are chosen on.

    Returns:
        the report, and each experiment with its parts, to draw it.

    Raises:
        SaecliError: naming the entry that is wrong; then nothing was run.
        Interrupted: on Ctrl-C; what was run is kept, and the same command goes on.
    """
    choose = _Chooser(catalog, invocation, device, cache, progress)
    shelf = Shelf(catalog, device, progress)
    trials, hypotheses = _commit(invocation, shelf, path, entries, choose, registered=False)
    ran = []
    with progress.task("experiments", len(trials), "experiments") as task:
        for hypothesis, trial in zip(hypotheses, trials, strict=True):
            ran.append(run_trials(catalog, invocation, hypothesis, trial, progress))
            task.advance(1)
    reports = judge_together(ran)
    publish(catalog, reports)
    rule = trials[0].plan.rule
    family = FamilyReport(
        plan=str(path),
        size=len(reports),
        alpha=rule.alpha,
        controls=min(trial.plan.controls.n for trial in trials),
        verdicts=dict(Counter(report.verdict for report in reports)),
        experiments=reports,
        protocol=protocol_of(ran, [isinstance(entry.latents, Choice) for entry in entries]),
        choices=choose.told,
    )
    finished = [
        Finished(report, one.trial, one.target) for report, one in zip(reports, ran, strict=True)
    ]
    return family, finished


def judge_together(ran: Sequence[Ran]) -> list[KnockoutReport]:
    """Apply each plan's rule with the p-value adjusted for all."""
    from saecli.experiments.families import benjamini_hochberg, holm

    p_values = [p_value_of(one) for one in ran]
    numbers = [one.experiment for one in ran]
    return [
        report_of(one, FamilyPlace(len(ran), numbers, float(strict), float(screened)))
        for one, strict, screened in zip(
            ran, holm(p_values), benjamini_hochberg(p_values), strict=True
        )
    ]


def protocol_of(ran: Sequence[Ran], automatic: Sequence[bool]) -> Protocol | None:
    """The table of patches changed inside each class and elsewhere; None without segmentation.

    Args:
        automatic: of each experiment, whether its latents were chosen by F1 rather than named.
    """
    from saecli.experiments.protocol import Changed
    from saecli.experiments.results import Results

    found: dict[str, dict[str, list[Changed]]] = {}
    for one, chosen in zip(ran, automatic, strict=True):
        if one.trial.bench.probe.task != "segmentation":
            continue
        results = Results.of(one.rows, one.figures)
        arms = found.setdefault(one.trial.plan.class_name, {arm: [] for arm in PROTOCOL})
        for arm, kind in PROTOCOL.items():
            if arm not in ("automatic", "manual") or chosen == (arm == "automatic"):
                arms[arm].append(Changed.of(results, kind))
    if not found:
        return None
    whole = {
        name: {arm: Changed.together(parts) for arm, parts in arms.items() if parts}
        for name, arms in found.items()
    }
    return Protocol(
        classes=[
            ProtocolClass(name, [_protocol_arm(arm, [one]) for arm, one in arms.items()])
            for name, arms in whole.items()
        ],
        micro=_over_classes(whole, average=False),
        macro=_over_classes(whole, average=True),
    )


def _over_classes(whole: "dict[str, dict[str, Changed]]", *, average: bool) -> list[ProtocolArm]:
    columns = {arm: [one[arm] for one in whole.values() if arm in one] for arm in PROTOCOL}
    return [_protocol_arm(arm, parts, average=average) for arm, parts in columns.items() if parts]


def _protocol_arm(arm: str, parts: "list[Changed]", *, average: bool = False) -> ProtocolArm:
    from saecli.experiments.protocol import Changed, macro
    from saecli.workflows.arm_reports import plain

    total = Changed.together(parts)
    target, other = macro(parts) if average else total.shares
    return ProtocolArm(arm, total.edits, plain(target), plain(other))


def _commit(
    invocation: Invocation,
    shelf: Shelf,
    path: Path,
    entries: Sequence[Entry],
    choose: "_Chooser",
    *,
    registered: bool,
) -> tuple[list[Trial], list[HypothesisInfo]]:
    """Check every entry and find its controls, then commit all; nothing is run yet.

    What was registered with the very same plan is found again and stays registered. Latents are
    chosen first, so that no picture that chose some is drawn for a test of them.
    """
    catalog, progress = shelf.catalog, shelf.progress
    trials: list[Trial] = []
    plans = []
    for entry in entries:
        try:
            plans.append(entry.planned(choose(entry)))
        except SaecliError as error:
            raise where(entry, path, error) from error
    with progress.task("plans", len(plans), "hypotheses") as task:
        for entry, plan in zip(entries, plans, strict=True):
            try:
                trial = prepare(invocation, plan, shelf)
                arms_of(catalog, trial, prefixes_of(trial, trial.subjects.files))
            except SaecliError as error:
                raise where(entry, path, error) from error
            trials.append(trial)
            task.advance(1)
    return trials, [register(catalog, invocation, trial, registered=registered) for trial in trials]


class _Chooser:
    """Finds an entry's latents; the same choice is made once, and is on record as `detect`'s."""

    def __init__(
        self,
        catalog: Catalog,
        invocation: Invocation,
        device: str,
        cache: "CacheSettings",
        progress: Progress,
    ) -> None:
        self.told: list[dict[str, Any]] = []
        self._catalog, self._invocation = catalog, invocation
        self._device, self._cache, self._progress = device, cache, progress
        self._made: dict[tuple[Choice, str], Concept] = {}

    def __call__(self, entry: Entry) -> Concept:
        choice, name = entry.latents, entry.plan.class_name
        if isinstance(choice, Concept):
            return choice
        if (choice, name) not in self._made:
            self._made[choice, name] = self._choose(choice, name, entry.number)
        return self._made[choice, name]

    def _choose(self, choice: Choice, name: str, number: int) -> Concept:
        if choice.images is not None:
            examples = by_masks(choice.images, choice.masks, name, choice.n_images, self._progress)
        else:
            examples = by_folders(
                choice.positives or "", choice.negatives or "", choice.n_images, self._progress
            )
        report = detect_latents(
            self._catalog,
            self._invocation,
            choice.dictionary,
            examples,
            top=choice.n,
            device=self._device,
            cache=self._cache,
            progress=self._progress,
        )
        found = [parse_latent(row.ref).latents[0] for row in report.latents]
        concept = Concept(report.dictionary, tuple(sorted(found)))
        self.told.append(
            {
                "hypothesis": number,
                "class": name,
                "latents": [row.ref for row in report.latents],
                "f1": [row.f1 for row in report.latents],
                "n_images": report.n_images,
            }
        )
        return concept
