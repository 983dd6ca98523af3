"""Margins in nats, and which patches count."""

import numpy as np
import torch
from scipy.special import logit, softmax

from saecli.experiments.margins import Contrast, patch_labels, target_patches


def test_the_margin_is_the_difference_of_two_logits_or_the_log_odds():
    logits = torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(Contrast(2, 0).margin(logits), logits[..., 2] - logits[..., 0])
    odds = logit(softmax(logits.numpy(), axis=-1)[..., 2])
    np.testing.assert_allclose(Contrast(2).margin(logits).numpy(), odds, rtol=1e-10)


# sky, tree, unlabelled; a row that doesn't sum to 1 holds pixels outside the picture
SHARES = np.array(
    [[0.5, 0.5, 0.0], [0.2, 0.7, 0.1], [0.4, 0.3, 0.3], [0.1, 0.0, 0.9], [0.3, 0.0, 0.0]]
)


def test_a_patch_belongs_to_the_class_that_holds_at_least_half_of_it():
    assert patch_labels(SHARES, unlabelled=2).tolist() == [0, 1, -1, -1, -1]
    assert patch_labels(SHARES).tolist() == [0, 1, -1, 2, -1]


def test_target_patches_are_half_a_and_mostly_unlabelled_ones_count_nowhere():
    target, other = target_patches(SHARES, 1, unlabelled=2)
    assert target.tolist() == [True, True, False, False, False]
    assert other.tolist() == [False, False, True, False, False]
