"""Training a dictionary from activations to its held-out evaluation; interruptible."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from torch import Tensor

from saecli.activations.source import Source
from saecli.progress import SILENT, Progress
from saecli.sae.member import Diverged, Member
from saecli.sae.metrics import Evaluation, Evaluator
from saecli.sae.model import Dictionary, Identity
from saecli.sae.objectives import Precision
from saecli.sae.plan import Plan
from saecli.sae.points import TrainingPoint
from saecli.sae.ranks import ALONE, Ranks
from saecli.sae.run import Point, Run
from saecli.sae.saving import Saver
from saecli.sae.settings import TrainSettings
from saecli.sae.state import load_run

EVALUATION_IMAGES = 16  # read at a time


class How(TypedDict, total=False):
    """Arguments that `train` passes on to `train_together`."""

    device: str
    precision: Precision
    ranks: Ranks
    progress: Progress
    state: Path | None
    resume: bool


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        dictionary: on the CPU.
        evaluation: on the held-out images; its ``dead_fraction`` is over these alone.
        dead_fraction: latents not active in the last 10 million training patches, or in as
            many as the training set holds where it is smaller.
        plan: the settings as resolved.
        rates: (step, Adam's peak rate from that step on): one, unless a resumed run changed it.
        held_out: images (numbers within the source) that were never trained on.
        patches_seen: patches trained on.
        seconds: of training, over all sittings, without the evaluation.
    """

    dictionary: Dictionary
    evaluation: Evaluation
    dead_fraction: float
    plan: Plan
    rates: tuple[tuple[int, float], ...]
    held_out: tuple[int, ...]
    patches_seen: int
    seconds: float

    @property
    def patches_per_second(self) -> float:
        """Patches trained on to a second."""
        return self.patches_seen / self.seconds if self.seconds else 0.0


def train(
    source: Source,
    settings: TrainSettings,
    identity: Identity,
    *,
    on_metrics: Callable[[TrainingPoint], None] = lambda point: None,
    **how: Unpack[How],
) -> TrainResult:
    """Train one dictionary on a source of activations and evaluate it on held-out images.

    See `train_together`.

    Raises:
        SaecliError: as there.
        KeyboardInterrupt: as it came, with the state kept.
    """

    def passed_on(point: Point) -> None:
        if point.figures is not None:
            on_metrics(point.figures)

    (result,) = train_together(source, [settings], identity, on_metrics=passed_on, **how)
    assert isinstance(result, TrainResult)
    return result


def train_together(
    source: Source,
    settings: Sequence[TrainSettings],
    identity: Identity,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    ranks: Ranks = ALONE,
    on_metrics: Callable[[Point], None] = lambda point: None,
    progress: Progress = SILENT,
    state: Path | None = None,
    resume: bool = False,
) -> list[TrainResult | str]:
    """Train dictionaries on the same batches of a source and evaluate them on held-out images.

    The same source, settings, device and number of threads give the same dictionary, bit for
    bit, whether or not the run was interrupted or killed and resumed in between, and whatever
    dictionaries are trained beside it (measured on the CPU).

    Args:
        source: recorded or streamed activations.
        settings: what to train; resolved here.
        identity: what the activations are of.
        device: a torch device, resolved.
        precision: of the encoder product; weights and sums are float32.
        ranks: the processes that train together; each has the same source and reads its share
            of every batch. Only the first saves and evaluates.
        on_metrics: called about a hundred times over the run for each dictionary.
        progress: gets tasks "training" and "evaluating", in patches.
        state: where to keep the run's state: every five minutes or more often where that is
            cheap, on an interrupt, and at the end. The caller removes it once the results are
            published. A run that diverges leaves it as it last was.
        resume: continue from ``state`` if it is there.

    Returns:
        For each of the settings its result, or the sentence of why it diverged; nothing on
        other ranks than the first.

    Raises:
        SaecliError: if the settings don't fit, the saved state doesn't, the disk is full, or
            the only dictionary (or every one) diverges.
        KeyboardInterrupt: as it came, with the state kept.
    """
    run = Run(source, settings, identity, device, precision, ranks)
    if resume and state is not None and state.exists():
        run.restore(load_run(state, run.plans, identity, source.fingerprint))
    else:
        run.begin()
    saver = Saver(run, state if ranks.rank == 0 else None, progress)
    try:
        _steps(run, on_metrics, progress, saver)
        if ranks.rank:
            return []
        evaluations = _evaluate(run, progress)
    except KeyboardInterrupt:
        saver.save()
        raise
    saver.try_to_save()
    return [
        run.lost[number]
        if number in run.lost
        else _result(run, run.members[number], evaluations[number])
        for number in range(len(settings))
    ]


def _result(run: Run, member: Member, evaluation: Evaluation) -> TrainResult:
    return TrainResult(
        dictionary=member.dictionary(),
        evaluation=evaluation,
        dead_fraction=member.activity.dead_fraction(member.plan.dead_window),
        plan=member.plan,
        rates=tuple(member.rates),
        held_out=tuple(run.split.held_out.tolist()),
        patches_seen=member.activity.seen,
        seconds=member.seconds,
    )


def _steps(run: Run, on_metrics: Callable[[Point], None], progress: Progress, saver: Saver) -> None:
    run.open_stream()
    with progress.task("training", run.plan.n_patches, "patches") as task:
        task.advance(run.step * run.plan.batch)
        while run.step < run.plan.n_steps:
            try:
                points = run.advance()
            except Diverged as error:
                raise saver.explained(error) from error
            task.advance(run.plan.batch, _note(points))
            for point in points:
                if point.lost is not None and len(run.plans) > 1:
                    progress.say(f"dictionary {point.member + 1} of the sweep: {point.lost}")
                on_metrics(point)
            if points:
                saver.save_in_time()


def _note(points: Sequence[Point]) -> str:
    """The figures to show beside the bar: of the dictionary that explains most."""
    figures = [point.figures for point in points if point.figures is not None]
    if not figures:
        return ""
    best = max(figures, key=lambda one: one.explained_variance)
    most = "at best " if len(figures) > 1 else ""
    return f"explained {most}{best.explained_variance:.3f}, L0 {best.l0:.1f}"


def _evaluate(run: Run, progress: Progress) -> dict[int, Evaluation]:
    """Evaluate all dictionaries in one pass over the held-out images."""
    evaluators = {
        number: Evaluator(member.dictionary().to(run.device))
        for number, member in run.members.items()
    }
    for activations in _held_out(run, progress):
        for evaluator in evaluators.values():
            evaluator.add(activations)
    return {number: evaluator.finish() for number, evaluator in evaluators.items()}


def _held_out(run: Run, progress: Progress) -> Iterator[Tensor]:
    images = run.split.held_out
    total = len(images) * run.source.grid.n_patches
    with progress.task("evaluating", total, "patches") as task:
        for _, activations in run.source.batches(EVALUATION_IMAGES, images):
            yield activations
            task.advance(activations.shape[0] * activations.shape[1])
