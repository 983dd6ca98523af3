"""Detection figures equal scikit-learn's, latent by latent, ties and all."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_curve, roc_auc_score

from saecli.errors import SaecliError
from saecli.experiments.detection import Tally, detect_images, detect_patches
from tests.dictionaries import random_dictionary


def check_against_sklearn(found, f, positive):
    assert (found.n_positive, found.n_negative) == (positive.sum(), (~positive).sum())
    for latent in range(f.shape[1]):
        scores = f[:, latent]
        assert found.auroc[latent] == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
        precision, recall, threshold = precision_recall_curve(positive, scores)
        usable = threshold > 0
        if not usable.any():
            assert found.f1[latent] == found.precision[latent] == found.recall[latent] == 0
            assert np.isnan(found.threshold[latent])
            continue
        p, r = precision[:-1][usable], recall[:-1][usable]
        f1 = np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)
        assert found.f1[latent] == pytest.approx(f1.max(), abs=1e-12)
        best = np.flatnonzero(np.isclose(f1, f1.max(), rtol=0, atol=1e-12)).max()
        assert found.threshold[latent] == threshold[usable][best]
        assert found.precision[latent] == pytest.approx(p[best], abs=1e-12)
        assert found.recall[latent] == pytest.approx(r[best], abs=1e-12)


tied = st.sampled_from([0.0, 0.0, 0.0, 0.5, 0.5, 1.25, 3.0, -0.75, -0.75, 1e-30])
activations = st.integers(2, 40).flatmap(
    lambda n: st.tuples(arrays(np.float32, (n, 5), elements=tied), arrays(bool, n))
)


@given(activations)
@settings(deadline=None, max_examples=150)
def test_figures_equal_scikit_learns_with_ties(case):
    f, positive = case
    if positive.all() or not positive.any():
        return
    tally = Tally(5)
    half = len(f) // 2
    for part in (slice(half), slice(half, None)):
        tally.add(torch.from_numpy(f[part]), torch.from_numpy(positive[part]))
    check_against_sklearn(tally.score(), f, positive)


@pytest.fixture
def patches():
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(20, 6, 8, generator=generator)


@pytest.mark.parametrize("activation", ["topk", "relu"])
def test_patches_are_scored_by_their_own_activation(patches, activation):
    dictionary = random_dictionary(activation=activation)
    rng = np.random.default_rng(0)
    positive = rng.random((20, 6)) < 0.3
    negative = ~positive & (rng.random((20, 6)) < 0.8)
    batches = [
        (patches[i : i + 7], positive[i : i + 7], negative[i : i + 7]) for i in range(0, 20, 7)
    ]
    found = detect_patches(dictionary, batches)
    counted = positive | negative
    f = dictionary.encode(patches).numpy()[counted]
    check_against_sklearn(found, f, positive[counted])
    ranked = found.ranked()
    assert (np.diff(found.f1[ranked]) <= 0).all()
    ties = np.diff(found.f1[ranked]) == 0
    assert (np.diff(ranked)[ties] > 0).all()


def test_pictures_are_scored_by_their_largest_activation(patches):
    dictionary = random_dictionary()
    positive = np.arange(20) % 3 == 0
    found = detect_images(dictionary, [(patches[:9], positive[:9]), (patches[9:], positive[9:])])
    f = dictionary.encode(patches).amax(dim=1).numpy()
    check_against_sklearn(found, f, positive)


def test_a_planted_detector_is_perfect(patches):
    dictionary = random_dictionary()
    positive = np.arange(20) < 8
    shown = patches.clone()
    shown[:8, 2] = dictionary.decode(torch.eye(24)[5] * 30)
    found = detect_images(dictionary, [(shown, positive)])
    assert (found.f1[5], found.auroc[5]) == (1.0, 1.0)
    assert found.f1[found.ranked()[0]] == 1.0


def test_one_sided_pictures_and_too_many_activations_are_refused(patches):
    dictionary = random_dictionary()
    with pytest.raises(SaecliError, match="nothing in the pictures shows"):
        detect_images(dictionary, [(patches, np.zeros(20, bool))])
    with pytest.raises(SaecliError, match="nothing in the pictures lacks"):
        detect_images(dictionary, [(patches, np.ones(20, bool))])
    with pytest.raises(SaecliError, match="fewer pictures"):
        Tally(4, most_entries=7).add(torch.ones(2, 4), torch.tensor([True, False]))


def test_a_silent_latent_detects_nothing(patches):
    dictionary = random_dictionary(activation="relu")
    silent = dataclasses.replace(dictionary, b_enc=dictionary.b_enc - 1e3 * torch.eye(24)[9])
    found = detect_images(silent, [(patches, np.arange(20) < 15)])
    assert (found.f1[9], found.auroc[9]) == (0.0, 0.5)
    assert found.ranked()[-1] == 9
