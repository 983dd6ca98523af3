import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from saecli.search.held_out import HeldOutSettings, Signatures, auroc, auroc_interval, hold_out

SETTINGS = HeldOutSettings(n_strata=4, n_quantile=8, n_random=5, n_near=3)


@pytest.fixture
def signatures():
    """20 latents on 200 pictures; latent 3 fires on the first 40, latent 4 on the first 60."""
    rng = np.random.default_rng(0)
    found = np.maximum(rng.normal(size=(20, 200)) - 1, 0)
    found[3] = 0
    found[3, :40] = np.linspace(4, 1, 40)
    found[4] = 0
    found[4, :60] = 5
    return found.astype(np.float16)


def test_pictures_are_of_the_right_side_and_only_allowed_ones(signatures):
    allowed = np.arange(200) % 2 == 0
    found = hold_out(Signatures(signatures), 3, allowed, SETTINGS)
    assert np.all(signatures[3, found.positive] > 0)
    assert np.all(signatures[3, found.negative] == 0)
    assert np.all(allowed[np.concatenate([found.positive, found.negative])])
    assert (len(found.quantile), len(found.random), len(found.silent)) == (8, 5, 5)


def test_quantile_pictures_are_of_every_part_of_the_activations(signatures):
    found = hold_out(Signatures(signatures), 3, np.ones(200, bool), SETTINGS)
    assert [int(((found.quantile // 10) == part).sum()) for part in range(4)] == [2, 2, 2, 2]


def test_near_misses_are_silent_pictures_on_which_the_others_do_the_same(signatures):
    found = hold_out(Signatures(signatures), 3, np.ones(200, bool), SETTINGS)
    by_hand = []
    others = np.delete(np.arange(20), 3)
    scaled = np.sqrt(signatures[others] / signatures[others].max(axis=1, keepdims=True))
    aim = scaled[:, :20].mean(axis=1)
    for picture in range(40, 200):
        column = scaled[:, picture]
        by_hand.append(aim @ column / (np.linalg.norm(column) or 1))
    assert set(found.near_miss) == {40 + i for i in np.argsort(by_hand)[-3:]}
    assert np.mean(found.near_miss < 60) > 0.5  # latent 4 fires where 3 does, and a bit beyond


def test_near_misses_that_a_profile_knows_come_first(signatures):
    known = np.zeros(200, bool)
    known[[5, 150, 160]] = True  # on the first of these it fires
    found = hold_out(Signatures(signatures), 3, np.ones(200, bool), SETTINGS, near=known)
    assert {150, 160} < set(found.near_miss)
    assert len(found.near_miss) == 3
    assert 5 not in found.near_miss


def test_the_same_seed_holds_out_the_same_pictures(signatures):
    everything = np.ones(200, bool)
    first, again = (hold_out(Signatures(signatures), 3, everything, SETTINGS) for _ in range(2))
    other = hold_out(Signatures(signatures), 3, everything, HeldOutSettings(seed=1))
    assert first.random.tolist() == again.random.tolist() != other.random.tolist()


def test_a_latent_that_never_or_always_fires_has_one_side_only(signatures):
    signatures[0], signatures[1] = 0, 1
    for latent, empty in ((0, "positive"), (1, "negative")):
        found = hold_out(Signatures(signatures), latent, np.ones(200, bool), SETTINGS)
        assert len(getattr(found, empty)) == 0


def test_the_score_is_scikit_learns_auroc_ties_included():
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(0, 6, 30), rng.integers(0, 5, 50)
    truth = np.r_[np.ones(30), np.zeros(50)]
    expected = roc_auc_score(truth, np.r_[positive, negative])
    assert auroc(positive, negative) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(auroc(positive, negative[:0]))


def test_the_interval_covers_as_often_as_it_says():
    """Normal scores shifted so that the true AUROC is 0.5, 0.8 and 0.95; 20 of each side."""
    rng = np.random.default_rng(0)
    for true, shift in ((0.5, 0.0), (0.8, 1.190), (0.95, 2.326)):
        hits = []
        for _ in range(400):
            value = auroc(rng.normal(size=20) + shift, rng.normal(size=20))
            low, high = auroc_interval(value, 20, 20)
            hits.append(low <= true <= high)
        assert 0.92 <= np.mean(hits) <= 0.99, true


def test_a_perfect_score_has_an_interval_too():
    low, high = auroc_interval(1.0, 20, 20)
    assert 0.85 < low < 0.95
    assert high == 1
    worse, _ = auroc_interval(1.0, 8, 8)
    assert worse < low
