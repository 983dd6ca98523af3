"""Trained heads against scikit-learn, honest splits, and scores counted by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, jaccard_score, recall_score

from saecli.errors import SaecliError
from saecli.experiments.logistic import solution_path
from saecli.experiments.probe_training import (
    ProbeSettings,
    train_classification,
    train_segmentation,
)
from saecli.experiments.scores import Confusion

DIGEST = "d" * 64


def blobs(n=240, width=6, n_classes=3, spread=1.5, seed=0):
    """Overlapping Gaussian clouds of unequal sizes, features of very unequal scales."""
    rng = np.random.default_rng(seed)
    y = rng.choice(
        n_classes, size=n, p=np.arange(1, n_classes + 1) / (n_classes**2 + n_classes) * 2
    )
    centres = rng.normal(size=(n_classes, width)) * spread
    x = (centres[y] + rng.normal(size=(n, width))) * 10.0 ** rng.integers(-2, 3, width) + 3.0
    return torch.from_numpy(x).float(), y.astype(np.int64)


@pytest.mark.parametrize("balanced", [False, True])
def test_the_head_is_scikit_learns_logistic_regression(balanced):
    x, y = blobs()
    decay = 1e-2
    ((_, weight, bias),) = solution_path(
        x, torch.from_numpy(y), 3, [decay], balanced=balanced, max_iterations=2000
    )
    mean, spread = x.double().numpy().mean(0), x.double().numpy().std(0)
    z = (x.double().numpy() - mean) / spread
    theirs = LogisticRegression(
        C=1 / (len(y) * decay),
        tol=1e-10,
        max_iter=5000,
        class_weight="balanced" if balanced else None,
    ).fit(z, y)
    ours = (x @ weight + bias).softmax(-1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(z), atol=2e-3)


def test_where_the_solver_starts_makes_no_difference():
    x, y = blobs()
    truth = torch.from_numpy(y)
    ((_, *cold),) = solution_path(x, truth, 3, [1e-3])
    (_, *other), _ = solution_path(x, truth, 3, [1e-1, 1e-4])
    ((_, *warm),) = solution_path(x, truth, 3, [1e-3], start=tuple(other))
    ((_, *same),) = solution_path(x, truth, 3, [1e-3], start=tuple(cold), max_iterations=1)
    expected = (x @ cold[0] + cold[1]).softmax(-1)
    for weight, bias in (warm, same):
        torch.testing.assert_close((x @ weight + bias).softmax(-1), expected, atol=2e-3, rtol=0)


def test_a_constant_feature_changes_nothing():
    x, y = blobs()
    wide = torch.cat([x, torch.full((len(x), 1), 7.0)], dim=1)
    ((_, weight, bias),) = solution_path(x, torch.from_numpy(y), 3, [1e-3])
    ((_, wide_weight, wide_bias),) = solution_path(wide, torch.from_numpy(y), 3, [1e-3])
    assert wide_weight[-1].abs().max() == 0
    torch.testing.assert_close(wide @ wide_weight + wide_bias, x @ weight + bias, atol=1e-2, rtol=0)


def test_held_out_pictures_take_no_part_in_training():
    x, y = blobs()
    first = train_classification(x, y, "abc", reads="cls", backbone_digest=DIGEST)
    spoiled = x.clone()
    spoiled[first.test] = 1e4
    second = train_classification(spoiled, y, "abc", reads="cls", backbone_digest=DIGEST)
    assert torch.equal(first.probe.weight, second.probe.weight)
    assert set(first.train) | set(first.test) == set(range(len(x)))
    assert not set(first.train) & set(first.test)
    for c in range(3):
        share = (y[first.test] == c).sum() / (y == c).sum()
        assert abs(share - ProbeSettings().test_share) < 0.05


def test_the_score_is_that_of_the_stored_probe_on_the_held_out_pictures():
    x, y = blobs()
    trained = train_classification(x, y, "abc", reads="cls", backbone_digest=DIGEST)
    predicted = trained.probe.head(x[trained.test]).argmax(-1).numpy()
    assert trained.confusion.accuracy == pytest.approx(accuracy_score(y[trained.test], predicted))
    assert trained.confusion.accuracy > 0.8


def test_training_is_the_same_each_time_and_another_seed_splits_otherwise():
    x, y = blobs()
    one, two, other = (
        train_classification(
            x, y, "abc", reads="cls", backbone_digest=DIGEST, settings=ProbeSettings(seed=seed)
        )
        for seed in (0, 0, 1)
    )
    assert one.probe.to_bytes() == two.probe.to_bytes()
    assert list(one.test) != list(other.test)


def test_unlabelled_pictures_are_left_out():
    x, y = blobs()
    y[::3] = -1
    trained = train_classification(x, y, "abc", reads="cls", backbone_digest=DIGEST)
    assert (y[trained.train] >= 0).all()
    assert (y[trained.test] >= 0).all()


def test_noise_gets_a_strong_weight_decay_and_signal_a_weak_one():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    noise = torch.from_numpy(rng.normal(size=(200, 60))).float()
    signal = noise + 4.0 * torch.from_numpy(y)[:, None]
    decays = [
        train_classification(x, y, "ab", reads="cls", backbone_digest=DIGEST).weight_decay
        for x in (noise, signal)
    ]
    assert decays[0] > decays[1]
    assert decays[0] == max(ProbeSettings().weight_decays)


def scenes(n=24, patches=30, width=5, n_classes=3, seed=0):
    """Patches of three classes; each picture shifts all of its patches by a vector of its own."""
    rng = np.random.default_rng(seed)
    y = rng.integers(-1, n_classes, size=(n, patches))
    centres = 3 * rng.normal(size=(n_classes + 1, width))
    x = centres[y] + rng.normal(size=(n, patches, width)) + rng.normal(size=(n, 1, width))
    return torch.from_numpy(x).half(), y


def test_segmentation_splits_pictures_and_counts_labelled_patches_only():
    x, y = scenes()
    trained = train_segmentation(x, y, "abc", backbone_digest=DIGEST)
    assert not set(trained.train) & set(trained.test)
    assert trained.confusion.counts.sum() == (y[trained.test] >= 0).sum()
    predicted = trained.probe.head(x[trained.test].float()).argmax(-1).numpy()
    known = y[trained.test] >= 0
    truth = y[trained.test][known]
    assert trained.confusion.mean_iou == pytest.approx(
        jaccard_score(truth, predicted[known], average="macro")
    )
    assert trained.confusion.accuracy > 0.8
    spoiled, unlabelled = x.clone(), torch.from_numpy(y < 0)
    spoiled[unlabelled] = 50.0
    spoiled[trained.test] = -50.0
    again = train_segmentation(spoiled, y, "abc", backbone_digest=DIGEST)
    assert torch.equal(again.probe.weight, trained.probe.weight)


def test_a_subsample_of_patches_gives_nearly_the_same_segmentation_head():
    x, y = scenes(n=60)
    whole = train_segmentation(x, y, "abc", backbone_digest=DIGEST)
    part = train_segmentation(
        x, y, "abc", backbone_digest=DIGEST, settings=ProbeSettings(max_patches=500)
    )
    assert part.confusion.accuracy > whole.confusion.accuracy - 0.03


labels = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(labels)
@settings(deadline=None, max_examples=60)
def test_scores_equal_scikit_learns(pairs):
    truth, predicted = np.array(pairs, dtype=np.int64).T
    confusion = Confusion.of(truth, predicted, 4)
    known = truth >= 0
    assert confusion.counts.sum() == known.sum()
    if not known.any():
        assert np.isnan([confusion.accuracy, confusion.mean_iou]).all()
        return
    t, p = truth[known], predicted[known]
    assert confusion.accuracy == pytest.approx(accuracy_score(t, p))
    seen = sorted(set(t) | set(p))
    expected = jaccard_score(t, p, labels=seen, average="macro", zero_division=0)
    assert confusion.mean_iou == pytest.approx(expected)
    recall = recall_score(t, p, labels=sorted(set(t)), average="macro", zero_division=0)
    assert confusion.balanced_accuracy == pytest.approx(recall)


def test_too_little_to_train_on_is_one_sentence():
    x, y = blobs()
    with pytest.raises(SaecliError, match="at least two classes"):
        train_classification(x, y * 0, "a", reads="cls", backbone_digest=DIGEST)
    with pytest.raises(SaecliError, match="class 'd' has 0 pictures"):
        train_classification(x, y, "abcd", reads="cls", backbone_digest=DIGEST)
    patches, masks = scenes()
    with pytest.raises(SaecliError, match="0 pictures have labelled patches"):
        train_segmentation(patches, masks * 0 - 1, "abc", backbone_digest=DIGEST)
    with pytest.raises(SaecliError, match="one class only"):
        train_segmentation(patches, masks * 0, "abc", backbone_digest=DIGEST)


def test_one_picture_is_called_one_picture():
    x, y = blobs()
    y[:] = np.arange(len(y)) % 2
    y[0] = 2
    with pytest.raises(SaecliError, match="class 'c' has 1 picture; give each class"):
        train_classification(x, y, "abc", reads="cls", backbone_digest=DIGEST)
    patches, masks = scenes()
    masks[1:] = -1
    masks[0, 0] = 1
    with pytest.raises(SaecliError, match="1 picture has labelled patches"):
        train_segmentation(patches, masks, "abc", backbone_digest=DIGEST)
