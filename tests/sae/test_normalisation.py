"""Rules that take mean and scale from each patch, against the formulas written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.sae import checkpoints
from saecli.sae.metrics import evaluate
from saecli.sae.normalisation import is_known, layer_norm
from tests.dictionaries import random_dictionary


def with_rule(rule, **settings):
    plain = random_dictionary(normalisation=rule, **settings)
    return replace(plain, mean=torch.zeros(8), scale=torch.ones(1)).to(dtype=torch.float64)


def by_hand(rule, dictionary, x):
    """f and x̂, patch by patch."""
    weights = {n: v.numpy() for n, v in vars(dictionary).items() if isinstance(v, torch.Tensor)}
    codes, rebuilt = [], []
    for patch in x:
        if rule == "norm_rescale":
            m, out = 0.0, np.sqrt((patch**2).sum() / 8)
            divisor = out
        else:
            m = patch.mean()
            out = np.sqrt(((patch - m) ** 2).sum() / 7)
            divisor = out + 1e-5
        f = np.maximum((patch - m) / divisor @ weights["W_enc"] + weights["b_enc"], 0)
        codes.append(f)
        rebuilt.append(out * (f @ weights["W_dec"] + weights["b_dec"]) + m)
    return np.stack(codes), np.stack(rebuilt)


@pytest.mark.parametrize("rule", ["layer_norm:1e-05", "norm_rescale"])
def test_each_patch_is_normalised_by_itself(rule):
    dictionary = with_rule(rule, activation="relu")
    x = 3 * torch.randn(9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 1
    f, rebuilt = by_hand(rule, dictionary, x.numpy())
    np.testing.assert_allclose(dictionary.encode(x).numpy(), f, atol=1e-12)
    np.testing.assert_allclose(
        dictionary.decode(dictionary.encode(x), x).numpy(), rebuilt, atol=1e-12
    )
    with pytest.raises(SaecliError, match="each patch by itself"):
        dictionary.decode(dictionary.encode(x))
    error = ((x.numpy() - rebuilt) ** 2).sum() / ((x - x.mean(dim=0)) ** 2).sum().item()
    assert evaluate(dictionary, [x]).fvu == pytest.approx(error, rel=1e-9)


def test_a_checkpoint_keeps_the_rule_with_its_epsilon():
    assert layer_norm(1e-5) == "layer_norm:1e-05"
    data = checkpoints.to_bytes(with_rule(layer_norm(1e-5)))
    assert checkpoints.load(data).normalisation == "layer_norm:1e-05"


def test_what_is_no_rule_is_known_for_none():
    assert not any(map(is_known, ("layer_norm", "layer_norm 1e-5", "layer_norm:x", "batch_norm")))
