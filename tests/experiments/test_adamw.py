"""A grid of heads trained in one pass: each as if alone, streamed, and the right one kept."""

import dataclasses

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.experiments.adamw import train_heads
from saecli.experiments.logistic import solution_path
from saecli.experiments.probe_data import Shuffled
from saecli.experiments.probe_heads import Head, Held, choose
from saecli.experiments.probe_training import (
    ProbeSettings,
    train_classification,
    train_segmentation,
)
from tests.experiments.test_probe_training import DIGEST, blobs, scenes

GRID = [(1e-3, 1e-2), (1e-2, 1e-2), (1e-2, 1.0), (3e-2, 1e-4)]
ADAMW = ProbeSettings(solver="adamw", steps=150, batch=64, weight_decays=(1e-4, 1e-1))


def batches(x, y, n, steps, seed=0):
    rng = np.random.default_rng(seed)
    return [(x[at], y[at]) for at in (rng.integers(0, len(x), n) for _ in range(steps))]


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 3.0, 0.5])])
def test_each_head_of_a_grid_is_the_one_that_it_would_be_alone(weights):
    x, y = blobs()
    y = torch.from_numpy(y)
    drawn = batches(x, y, 32, 60)
    stream = iter(drawn)
    together = train_heads(lambda n: next(stream), 3, GRID, x, steps=60, batch=32, weights=weights)
    mean, spread = x.mean(0), x.std(0, correction=0)
    for (rate, decay), (weight, bias) in zip(GRID, together, strict=True):
        head = torch.nn.Linear(x.shape[1], 3)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        optimiser = torch.optim.AdamW(
            [
                {"params": [head.weight], "weight_decay": decay},
                {"params": [head.bias], "weight_decay": 0.0},
            ],
            lr=rate,
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 60)
        for a, b in drawn:
            logits = head((a - mean) / spread)
            torch.nn.functional.cross_entropy(logits, b, weight=weights).backward()
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
        expected = head((x - mean) / spread).detach()
        torch.testing.assert_close(x @ weight + bias, expected, atol=2e-3, rtol=1e-3)


def test_without_decay_it_arrives_at_the_exact_optimum():
    x, y = blobs(n=600, spread=0.6)
    y = torch.from_numpy(y)
    rng = np.random.default_rng(0)

    def draw(n):
        at = rng.integers(0, len(x), n)
        return x[at], y[at]

    ((weight, bias),) = train_heads(draw, 3, [(3e-2, 0.0)], x, steps=800, batch=256)
    ((_, best, offset),) = solution_path(x, y, 3, [1e-6])
    losses = [
        float(torch.nn.functional.cross_entropy(x @ w + b, y))
        for w, b in ((weight, bias), (best, offset))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_a_stream_gives_every_labelled_patch_once_a_pass_and_no_other():
    labels = np.random.default_rng(0).integers(-1, 3, size=(20, 7))
    features = torch.arange(140.0).view(20, 7, 1)
    pictures = np.array([1, 4, 5, 9, 12, 13, 19])
    known = sorted(7 * i + p for i in pictures for p in range(7) if labels[i, p] >= 0)
    for group in (7, 30, 1000):
        stream = Shuffled(features, labels, pictures, 3, group=group)
        for _ in range(2):
            x, y = stream.draw(len(known))
            assert sorted(x[:, 0].int().tolist()) == known
            assert list(y) == [labels[int(v) // 7, int(v) % 7] for v in x[:, 0]]
    x, _ = Shuffled(features, labels, pictures, 3).draw(len(known))
    assert x[:, 0].int().tolist() != known


class Watched:
    """Features whose reader is watched: how many pictures it takes at once."""

    def __init__(self, features):
        self.features, self.shape, self.most = features, features.shape, 0

    def __getitem__(self, at):
        found = self.features[at]
        self.most = max(self.most, found[..., 0].numel())
        return found


@pytest.mark.parametrize("solver", ["exact", "adamw"])
def test_a_segmentation_head_never_reads_a_large_set_at_once(monkeypatch, solver):
    from saecli.experiments import probe_data

    monkeypatch.setattr(probe_data, "PICTURES", 8)
    monkeypatch.setattr(Shuffled.__init__, "__kwdefaults__", {"group": 200})
    x, y = scenes(n=120)
    settings = dataclasses.replace(ADAMW, solver=solver, max_patches=150, search_patches=150)
    watched = Watched(x)
    found = train_segmentation(watched, y, "abc", backbone_digest=DIGEST, settings=settings)
    assert 0 < watched.most <= 240
    plain = train_segmentation(x, y, "abc", backbone_digest=DIGEST, settings=settings)
    assert torch.equal(found.probe.weight, plain.probe.weight)
    assert (found.confusion.counts == plain.confusion.counts).all()


def test_a_grid_s_head_is_as_good_as_the_exact_one_and_told_with_all_others():
    x, y = scenes(n=60)
    exact = train_segmentation(x, y, "abc", backbone_digest=DIGEST)
    grid = train_segmentation(x, y, "abc", backbone_digest=DIGEST, settings=ADAMW)
    assert grid.confusion.accuracy > exact.confusion.accuracy - 0.03
    assert len(grid.grid) == len(ADAMW.learning_rates) * len(ADAMW.weight_decays)
    assert (grid.learning_rate, grid.weight_decay) in {
        (point.learning_rate, point.weight_decay) for point in grid.grid
    }
    assert exact.learning_rate is None
    assert [p.weight_decay for p in exact.grid] == sorted(ProbeSettings().weight_decays)[::-1]
    x, y = blobs()
    settings = dataclasses.replace(ADAMW, balanced=True)
    classes = [
        train_classification(x, y, "abc", reads="cls", backbone_digest=DIGEST, settings=s)
        for s in (ProbeSettings(balanced=True), settings, settings)
    ]
    assert classes[1].confusion.accuracy > classes[0].confusion.accuracy - 0.05
    assert classes[1].probe.to_bytes() == classes[2].probe.to_bytes()


def head_of_loss(margin, decay, rate=1e-3):
    """A head of one feature whose two logits differ by the margin where the feature is 1."""
    return Head(rate, decay, torch.tensor([[0.0, margin]]), torch.zeros(2))


def test_the_most_decayed_head_within_a_standard_error_is_kept():
    x = torch.tensor([[1.0]] * 18 + [[-1.0]] * 2)
    held = Held(x, np.ones(20, dtype=np.int64), np.arange(20))
    best, near, nearer, far = (
        head_of_loss(2.2, 1e-4),
        head_of_loss(1.9, 1e-2),
        head_of_loss(2.0, 1e-2, 3e-3),
        head_of_loss(0.1, 1.0),
    )
    head, grid = choose([best, near, nearer, far], held)
    assert head is nearer
    losses = [point.validation_loss for point in grid]
    by_hand = [np.mean(np.log1p(np.exp([-m] * 18 + [m] * 2))) for m in (2.2, 1.9, 2.0, 0.1)]
    assert losses == pytest.approx(by_hand)


def test_heads_that_ran_away_are_left_out():
    held = Held(torch.ones(4, 1), np.ones(4, dtype=np.int64), np.arange(4))
    lost = head_of_loss(float("nan"), 10.0)
    good = head_of_loss(1.0, 1e-3)
    assert choose([lost, good], held)[0] is good
    with pytest.raises(SaecliError, match="smaller learning rates"):
        choose([lost], held)


def test_a_split_that_comes_with_the_set_is_kept():
    x, y = scenes(n=24)
    last = np.arange(18, 24)
    found = train_segmentation(x, y, "abc", backbone_digest=DIGEST, held_out=last)
    assert list(found.test) == list(last)
    assert list(found.train) == list(range(18))
    empty = y.copy()
    empty[18:] = -1
    with pytest.raises(SaecliError, match=r"18 pictures have .* 0 to score on"):
        train_segmentation(x, empty, "abc", backbone_digest=DIGEST, held_out=last)
