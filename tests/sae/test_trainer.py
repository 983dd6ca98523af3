"""Training: it learns, repeats itself bit for bit, survives interrupts, stops on divergence."""

import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from saecli.activations.source import Split
from saecli.errors import SaecliError
from saecli.progress import SILENT
from saecli.sae import saving
from saecli.sae.checkpoints import to_bytes
from saecli.sae.member import Member
from saecli.sae.metrics import evaluate
from saecli.sae.points import TrainingPoint
from saecli.sae.settings import TrainSettings
from saecli.sae.trainer import TrainResult, train
from tests.dictionaries import IDENTITY
from tests.recorded import recorded, sparse_sums

IDENT = replace(IDENTITY, d_model=16, grid=(4, 4))
TOPK = TrainSettings(
    latents="48", k=2, n_patches=128 * 200, batch=128, lr=5e-3, lr_warmup=10, aux_k=8,
    aux_after=1000, seed=3,
)  # fmt: skip
RELU = replace(TOPK, objective="relu", l1=0.05, penalty_warmup=20)
BATCHTOPK = replace(TOPK, objective="batchtopk")
JUMPRELU = replace(TOPK, objective="jumprelu", l0=0.01, bandwidth=0.1, penalty_warmup=20)
SHORT = replace(TOPK, n_patches=128 * 40)
OTHERS = [
    replace(SHORT, objective="relu", l1=0.05),
    replace(BATCHTOPK, n_patches=128 * 40),
    replace(JUMPRELU, n_patches=128 * 40),
    replace(SHORT, prefixes=("12", "24")),
]


@pytest.fixture(scope="module")
def source():
    return sparse_sums()


@pytest.fixture(scope="module")
def trained(source) -> tuple[TrainResult, list[TrainingPoint]]:
    points: list[TrainingPoint] = []
    return train(source, TOPK, IDENT, on_metrics=points.append), points


def test_topk_finds_the_hidden_directions(trained):
    result, _ = trained
    assert result.evaluation.explained_variance > 0.9
    assert result.evaluation.l0 == pytest.approx(2, abs=0.05)


def test_relu_trades_reconstruction_for_sparsity(source):
    dense = train(source, replace(RELU, l1=0.0), IDENT).evaluation
    sparse = train(source, RELU, IDENT).evaluation
    assert sparse.l0 < dense.l0 / 2
    assert 0.7 < sparse.explained_variance < dense.explained_variance


def test_batchtopk_keeps_k_in_the_mean_of_patches_it_never_saw(source):
    result = train(source, BATCHTOPK, IDENT)
    assert result.dictionary.activation == "jumprelu"
    assert len(result.dictionary.threshold.unique()) == 1
    assert result.evaluation.explained_variance > 0.9
    assert result.evaluation.l0 == pytest.approx(2, rel=0.1)


def test_batchtopk_s_threshold_is_that_of_the_last_weights(source):
    """Also after a short run, whose early batches were cut elsewhere."""
    settings = replace(BATCHTOPK, n_patches=128 * 60, fit_below=1)
    result = train(source, settings, IDENT)
    x = torch.cat([batch for _, batch in source.batches(60)])
    assert evaluate(result.dictionary, [x]).l0 == pytest.approx(2, rel=0.1)


def test_jumprelu_s_penalty_makes_it_sparser(source):
    found = [train(source, replace(JUMPRELU, l0=l0), IDENT) for l0 in (0.0, 0.03, 0.1)]
    assert [one.dictionary.activation for one in found] == ["jumprelu"] * 3
    l0 = [one.evaluation.l0 for one in found]
    assert l0[0] > 1.2 * l0[1] > 1.2 * 1.2 * l0[2]
    assert found[1].evaluation.explained_variance > 0.8


def test_a_matryoshka_s_prefixes_reconstruct_by_themselves(source, trained):
    nested = train(source, replace(TOPK, prefixes=("12",)), IDENT).dictionary
    assert nested.prefixes == (12, 48)
    x = torch.cat([batch for _, batch in source.batches(60)]).flatten(0, 1)

    def error(dictionary) -> float:
        f = dictionary.encode(x)
        f[:, 12:] = 0
        return float((x - dictionary.decode(f)).square().sum())

    assert error(nested) < 0.7 * error(trained[0].dictionary)


def test_decoder_rows_end_at_unit_norm(trained):
    norms = trained[0].dictionary.W_dec.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(48), rtol=0, atol=1e-6)


def test_the_evaluation_is_of_images_that_were_never_trained_on(source, trained):
    result, _ = trained
    held_out = list(result.held_out)
    assert len(held_out) == 3
    assert held_out == Split.of(60, 0.05, 4000, seed=3).held_out.tolist()
    x = torch.cat([batch for _, batch in source.batches(60)])[held_out]
    assert result.evaluation.fvu == pytest.approx(evaluate(result.dictionary, [x]).fvu, rel=1e-6)


def test_held_out_images_do_not_influence_the_dictionary(source, trained):
    result, _ = trained
    x = torch.cat([batch for _, batch in source.batches(60)])
    x[list(result.held_out)] += 50
    again = train(recorded(x.half(), source.grid), TOPK, IDENT)
    assert to_bytes(again.dictionary) == to_bytes(result.dictionary)
    assert again.evaluation.explained_variance < result.evaluation.explained_variance


def test_points_report_the_run(trained):
    result, points = trained
    assert [point.step for point in points] == list(range(2, 201, 2))
    assert points[-1].patches_seen == result.patches_seen == 128 * 200
    assert points[-1].loss < points[0].loss / 3
    assert points[-1].explained_variance == pytest.approx(
        result.evaluation.explained_variance, abs=0.05
    )
    assert all(0 < point.l0 <= 2 for point in points)
    assert all(point.patches_per_second > 0 for point in points)
    assert result.dead_fraction == points[-1].dead_fraction


def test_the_first_points_loss_is_its_squared_error_where_nothing_is_added(source):
    """With no AuxK and no penalty, loss × d_model / variance is the unexplained share."""
    points: list[TrainingPoint] = []
    train(source, replace(SHORT, aux_weight=0.0), IDENT, on_metrics=points.append)
    ratios = [point.loss / (1 - point.explained_variance) for point in points]
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-5)


@pytest.mark.parametrize("settings", [SHORT, *OTHERS])
def test_the_same_seed_gives_the_same_checkpoint(source, settings):
    first, second = (train(source, settings, IDENT).dictionary for _ in range(2))
    other = train(source, replace(settings, seed=4), IDENT).dictionary
    assert to_bytes(first) == to_bytes(second)
    assert to_bytes(first) != to_bytes(other)


def test_bf16_reaches_what_float32_reaches(source, trained):
    rough = train(source, TOPK, IDENT, precision="bf16")
    expected = trained[0].evaluation.explained_variance
    assert rough.evaluation.explained_variance == pytest.approx(expected, abs=0.01)


def interrupt_at(step: int):
    def stop(point: TrainingPoint) -> None:
        if point.step == step:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("settings", [SHORT, *OTHERS])
def test_an_interrupted_run_resumes_to_the_identical_dictionary(source, settings, tmp_path):
    state = tmp_path / "clip.state"
    whole_points: list[TrainingPoint] = []
    whole = train(source, settings, IDENT, on_metrics=whole_points.append)
    points: list[TrainingPoint] = []
    for step in (7, 8, 25):
        with pytest.raises(KeyboardInterrupt):
            train(source, settings, IDENT, on_metrics=interrupt_at(step), state=state, resume=True)
    result = train(source, settings, IDENT, on_metrics=points.append, state=state, resume=True)
    assert points[0].step == 26
    assert to_bytes(result.dictionary) == to_bytes(whole.dictionary)
    assert result.evaluation.fvu == whole.evaluation.fvu
    assert result.dead_fraction == whole.dead_fraction
    assert result.patches_seen == whole.patches_seen
    for mine, theirs in zip(points, whole_points[25:], strict=True):
        assert asdict(mine) | {"patches_per_second": 0} == asdict(theirs) | {
            "patches_per_second": 0
        }


def test_a_finished_run_waits_to_be_published(source, tmp_path):
    """Whoever fails to store the dictionary gets it again without training."""
    state = tmp_path / "clip.state"
    first = train(source, SHORT, IDENT, state=state)
    points: list[TrainingPoint] = []
    again = train(source, SHORT, IDENT, on_metrics=points.append, state=state, resume=True)
    assert points == []
    assert to_bytes(again.dictionary) == to_bytes(first.dictionary)
    assert again.seconds == first.seconds


def test_an_interrupt_amid_an_interval_loses_nothing(source, tmp_path, monkeypatch):
    """Ctrl-C while a batch is being read, between two points."""
    settings = replace(SHORT, n_patches=128 * 300)
    state = tmp_path / "clip.state"
    whole: list[TrainingPoint] = []
    expected = train(source, settings, IDENT, on_metrics=whole.append)
    stream_type = type(source.shuffled(torch.arange(3), 0))
    draw, calls = stream_type.draw, []

    def interrupted(self, n, share=(0, 1)):
        calls.append(n)
        if len(calls) == 1 + 77:  # the first reads the sample
            raise KeyboardInterrupt
        return draw(self, n, share)

    monkeypatch.setattr(stream_type, "draw", interrupted)
    first: list[TrainingPoint] = []
    with pytest.raises(KeyboardInterrupt):
        train(source, settings, IDENT, on_metrics=first.append, state=state)
    second: list[TrainingPoint] = []
    result = train(source, settings, IDENT, on_metrics=second.append, state=state, resume=True)
    assert to_bytes(result.dictionary) == to_bytes(expected.dictionary)
    assert [p.loss for p in first + second] == [p.loss for p in whole]


def test_without_resume_a_run_starts_anew(source, tmp_path):
    state = tmp_path / "clip.state"
    with pytest.raises(KeyboardInterrupt):
        train(source, SHORT, IDENT, on_metrics=interrupt_at(5), state=state)
    points: list[TrainingPoint] = []
    train(source, SHORT, IDENT, on_metrics=points.append, state=state)
    assert points[0].step == 1


class Raising:
    """A progress that raises when a task begins, and keeps what is said."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: list[str] = []

    def task(self, name, total, unit):
        if name == self.name:
            raise KeyboardInterrupt
        return SILENT.task(name, total, unit)

    def say(self, message: str) -> None:
        self.said.append(message)


def test_an_interrupt_of_the_evaluation_keeps_the_training(source, tmp_path):
    state = tmp_path / "clip.state"
    whole = train(source, SHORT, IDENT)
    with pytest.raises(KeyboardInterrupt):
        train(source, SHORT, IDENT, state=state, progress=Raising("evaluating"))
    points: list[TrainingPoint] = []
    result = train(source, SHORT, IDENT, on_metrics=points.append, state=state, resume=True)
    assert points == []
    assert to_bytes(result.dictionary) == to_bytes(whole.dictionary)
    assert result.evaluation.fvu == whole.evaluation.fvu


def test_a_long_run_is_saved_on_the_way(source, tmp_path, monkeypatch):
    """A run that is killed outright continues from its last save."""
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    state, kept = tmp_path / "clip.state", tmp_path / "kept.state"

    def keep(point: TrainingPoint) -> None:
        if point.step == 20:  # step 19's save is the last before
            kept.write_bytes(state.read_bytes())

    whole = train(source, SHORT, IDENT, on_metrics=keep, state=state)
    points: list[TrainingPoint] = []
    result = train(source, SHORT, IDENT, on_metrics=points.append, state=kept, resume=True)
    assert points[0].step == 20
    assert to_bytes(result.dictionary) == to_bytes(whole.dictionary)


def test_a_full_disk_on_the_way_does_not_end_the_run(source, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    progress = Raising("nothing")
    result = train(source, SHORT, IDENT, state=tmp_path / "clip.state", progress=progress)
    assert result.patches_seen == SHORT.n_patches
    assert "goes on unsaved: the disk is full" in progress.said[0]
    assert not list(tmp_path.iterdir())


def test_another_held_out_share_is_another_run(source, tmp_path):
    state = tmp_path / "clip.state"
    with pytest.raises(KeyboardInterrupt):
        train(source, SHORT, IDENT, on_metrics=interrupt_at(5), state=state)
    with pytest.raises(SaecliError, match=r"was left by a run with \w+ = .*, not"):
        train(source, replace(SHORT, held_out=0.2), IDENT, state=state, resume=True)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.sae.test_trainer import IDENT, SHORT, sparse_sums, train
def stop(point):
    if point.step == 12:
        os.kill(os.getpid(), signal.SIGINT)
try:
    train(sparse_sums(), SHORT, IDENT, on_metrics=stop, state=Path(sys.argv[1]))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_real_interrupt_signal_leaves_a_state_that_resumes(source, tmp_path):
    state = tmp_path / "clip.state"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(state)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": str(torch.get_num_threads())},
        check=False,
    )
    assert done.returncode == 130
    assert state.exists()
    result = train(source, SHORT, IDENT, state=state, resume=True)
    assert to_bytes(result.dictionary) == to_bytes(train(source, SHORT, IDENT).dictionary)


def test_an_interrupt_waits_for_the_step_under_way():
    from saecli.sae.interrupts import held_interrupts

    done = []

    def step() -> None:
        with held_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the rest of the step")

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done == ["the rest of the step"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_divergence_at_once_stops_with_a_remedy_and_no_state_of_it(source, tmp_path):
    state = tmp_path / "clip.state"
    with pytest.raises(SaecliError, match=r"diverged by step .* lower --lr than 1e"):
        train(source, replace(SHORT, lr=1e30), IDENT, state=state)
    assert not state.exists()


def test_a_run_that_diverges_later_keeps_its_last_good_state(source, tmp_path, monkeypatch):
    """And goes on from there with a lower rate."""
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    state, points = tmp_path / "clip.state", []
    update = Member.update

    def poisoned(self, z, step, ranks, reading):
        update(self, z * float("nan") if step == 20 and self.plan.lr > 4e-3 else z, step, ranks, 0)

    monkeypatch.setattr(Member, "update", poisoned)
    with pytest.raises(SaecliError, match=r"the loss is nan; its state after step 20 is kept") as e:
        train(source, SHORT, IDENT, state=state)
    assert "--resume and a lower --lr than 0.005" in e.value.remedy
    result = train(
        source,
        replace(SHORT, lr=2e-3),
        IDENT,
        state=state,
        resume=True,
        on_metrics=points.append,
    )
    assert [point.step for point in points] == list(range(21, 41))
    assert result.rates == ((0, 5e-3), (20, 2e-3))
    assert result.evaluation.explained_variance > 0.3


def test_one_image_is_trained_and_evaluated_on():
    result = train(sparse_sums(n_images=1), replace(SHORT, n_patches=64), IDENT)
    assert result.held_out == (0,)
    assert result.evaluation.n_patches == 16


def test_images_all_alike_are_refused(source):
    with pytest.raises(SaecliError, match="alike"):
        train(recorded(torch.ones(5, 16, 16).half(), source.grid), SHORT, IDENT)
