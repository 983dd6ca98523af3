"""Dictionaries trained on one stream: each as if it were trained alone."""

from dataclasses import replace

import pytest
import torch

from saecli.activations.recording import Recorded
from saecli.errors import SaecliError
from saecli.sae.checkpoints import to_bytes
from saecli.sae.run import Point
from saecli.sae.trainer import TrainResult, train, train_together
from tests.recorded import sparse_sums
from tests.sae.test_trainer import IDENT, SHORT

SWEEP = [
    SHORT,
    replace(SHORT, k=3, lr=2e-3),
    replace(SHORT, latents="32"),
    replace(SHORT, objective="batchtopk"),
    replace(SHORT, objective="relu", l1=0.05),
]


class CountingReads:
    """A source that counts the patches that were read of it."""

    def __init__(self, source: Recorded) -> None:
        self._source = source
        self.n_read = 0

    def __getattr__(self, name):
        return getattr(self._source, name)

    def shuffled(self, images, seed, start=None):
        stream, counter = self._source.shuffled(images, seed, start), self
        draw = stream.draw

        def counted(n, share=(0, 1)):
            counter.n_read += n
            return draw(n, share)

        stream.draw = counted
        return stream

    def batches(self, *args):
        for start, batch in self._source.batches(*args):
            self.n_read += batch.shape[0] * batch.shape[1]
            yield start, batch


@pytest.fixture(scope="module")
def source():
    return sparse_sums()


@pytest.fixture(scope="module")
def alone(source) -> list[TrainResult]:
    return [train(source, settings, IDENT) for settings in SWEEP]


def same(mine: TrainResult, theirs: TrainResult) -> bool:
    return to_bytes(mine.dictionary) == to_bytes(theirs.dictionary) and (
        mine.evaluation.fvu,
        mine.dead_fraction,
        mine.patches_seen,
    ) == (theirs.evaluation.fvu, theirs.dead_fraction, theirs.patches_seen)


def test_each_comes_out_as_trained_alone_and_the_patches_are_read_once(source, alone):
    counting = CountingReads(source)
    together = train_together(counting, SWEEP, IDENT)
    assert all(map(same, together, alone))
    once = CountingReads(source)
    train(once, SHORT, IDENT)
    assert counting.n_read == once.n_read


def test_points_name_the_dictionary(source):
    points: list[Point] = []
    train_together(source, SWEEP, IDENT, on_metrics=points.append)
    assert len(points) == 40 * len(SWEEP)
    assert [point.member for point in points[: len(SWEEP)]] == list(range(len(SWEEP)))
    assert {point.figures.step for point in points[: len(SWEEP)]} == {1}


def test_an_interrupted_sweep_resumes_to_the_identical_dictionaries(source, alone, tmp_path):
    state = tmp_path / "a.state"

    def stop(point: Point) -> None:
        if point.figures.step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_together(source, SWEEP, IDENT, on_metrics=stop, state=state)
    points: list[Point] = []
    together = train_together(
        source, SWEEP, IDENT, on_metrics=points.append, state=state, resume=True
    )
    assert points[0].figures.step == 18
    assert all(map(same, together, alone))


def test_one_that_diverges_leaves_the_others_as_they_are(source, alone, tmp_path):
    """Also over an interrupt."""
    state = tmp_path / "a.state"
    sweep = [SWEEP[0], replace(SHORT, lr=1e30), SWEEP[1]]
    points: list[Point] = []

    def stop(point: Point) -> None:
        points.append(point)
        if point.figures is not None and point.figures.step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_together(source, sweep, IDENT, on_metrics=stop, state=state)
    first, lost, third = train_together(source, sweep, IDENT, state=state, resume=True)
    assert lost.startswith("training diverged by step")
    assert same(first, alone[0])
    assert same(third, alone[1])
    assert [point.lost for point in points if point.member == 1 and point.lost] == [lost]


def test_where_all_diverge_there_is_no_result(source):
    with pytest.raises(SaecliError, match="training diverged"):
        train_together(source, [replace(SHORT, lr=1e30), replace(SHORT, lr=1e29)], IDENT)


@pytest.mark.parametrize("change", [{"batch": 64}, {"seed": 9}, {"n_patches": 128 * 41}])
def test_what_orders_the_batches_is_one_for_all(source, change):
    with pytest.raises(SaecliError, match="trained together have one") as raised:
        train_together(source, [SHORT, replace(SHORT, **change)], IDENT)
    assert raised.value.usage


def test_memory_for_activations_is_shared(source):
    from saecli.sae.run import Run

    run = Run(source, SWEEP[:2], IDENT, "cpu", "float32")
    one, other = (member.objective._buffers for member in run.members.values())
    like = torch.empty(1)
    assert one.like("a", (4, 5), like).data_ptr() == other.like("a", (4, 5), like).data_ptr()
