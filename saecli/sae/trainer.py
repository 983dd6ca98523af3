"""Training a dictionary from activations to its held-out evaluation; interruptible."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from saecli.activations.source import Source
from saecli.errors import SaecliError
from saecli.progress import SILENT, Progress
from saecli.sae.metrics import Evaluation, evaluate
from saecli.sae.model import Dictionary, Identity
from saecli.sae.objectives import Precision
from saecli.sae.plan import Plan
from saecli.sae.points import TrainingPoint
from saecli.sae.run import Run
from saecli.sae.settings import TrainSettings
from saecli.sae.state import load_run, save_run

SAVE_SECONDS = 300.0  # of work that a killed run can lose
EVALUATION_IMAGES = 16  # read at a time


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        dictionary: on the CPU.
        evaluation: on the held-out images; its ``dead_fraction`` is over these alone.
        dead_fraction: latents not active in the last 10 million training patches, or in as
            many as the training set holds where it is smaller.
        plan: the settings as resolved.
        held_out: images (numbers within the source) that were never trained on.
        patches_seen: patches trained on.
        seconds: of training, over all sittings, without the evaluation.
    """

    dictionary: Dictionary
    evaluation: Evaluation
    dead_fraction: float
    plan: Plan
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
    device: str = "cpu",
    precision: Precision = "float32",
    on_metrics: Callable[[TrainingPoint], None] = lambda point: None,
    progress: Progress = SILENT,
    state: Path | None = None,
    resume: bool = False,
) -> TrainResult:
    """Train a dictionary on a source of activations and evaluate it on held-out images.

    The same source, settings, device and number of threads give the same dictionary, bit for
    bit, whether or not the run was interrupted and resumed in between (measured on the CPU).

    Args:
        source: recorded or streamed activations.
        settings: what to train; resolved here.
        identity: what the activations are of.
        device: a torch device, resolved.
        precision: of the encoder product; weights and sums are float32.
        on_metrics: called about a hundred times over the run.
        progress: gets tasks "training" and "evaluating", in patches.
        state: where to keep the run's state: every five minutes, on an interrupt, and at the
            end. The caller removes it once the result is published.
        resume: continue from ``state`` if it is there.

    Raises:
        SaecliError: if the settings don't fit, the saved state doesn't, the disk is full, or
            training diverges.
        KeyboardInterrupt: as it came, with the state kept.
    """
    run = Run(source, settings, identity, device, precision)
    if resume and state is not None and state.exists():
        run.restore(load_run(state, run.plan, identity, source.fingerprint))
    else:
        run.begin()
    try:
        _steps(run, on_metrics, progress, state)
        dictionary = run.dictionary()
        evaluation = evaluate(dictionary.to(run.device), _held_out(run, progress))
    except KeyboardInterrupt:
        if state is not None:
            save_run(run.saved(), state)
        raise
    if state is not None:
        _save(run, state, progress)
    return TrainResult(
        dictionary=dictionary,
        evaluation=evaluation,
        dead_fraction=run.activity.dead_fraction(run.plan.dead_window),
        plan=run.plan,
        held_out=tuple(run.split.held_out.tolist()),
        patches_seen=run.activity.seen,
        seconds=run.seconds,
    )


def _steps(
    run: Run,
    on_metrics: Callable[[TrainingPoint], None],
    progress: Progress,
    state: Path | None,
) -> None:
    run.open_stream()
    saved = time.monotonic()
    with progress.task("training", run.plan.n_patches, "patches") as task:
        task.advance(run.activity.seen)
        while run.step < run.plan.n_steps:
            point = run.advance()
            if point is None:
                task.advance(run.plan.batch)
                continue
            task.advance(
                run.plan.batch, f"explained {point.explained_variance:.3f}, L0 {point.l0:.1f}"
            )
            on_metrics(point)
            if state is not None and time.monotonic() - saved > SAVE_SECONDS:
                _save(run, state, progress)
                saved = time.monotonic()


def _save(run: Run, state: Path, progress: Progress) -> None:
    """Save on the way; a disk that is full now must not end a run that may still finish."""
    try:
        save_run(run.saved(), state)
    except SaecliError as error:
        progress.say(f"the run goes on unsaved: {error}")


def _held_out(run: Run, progress: Progress) -> Iterator[Tensor]:
    images = run.split.held_out
    total = len(images) * run.source.grid.n_patches
    with progress.task("evaluating", total, "patches") as task:
        for _, activations in run.source.batches(EVALUATION_IMAGES, images):
            yield activations
            task.advance(activations.shape[0] * activations.shape[1])
