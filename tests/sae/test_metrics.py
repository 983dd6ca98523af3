"""Evaluation against its formulas, computed naively in float64."""

import numpy as np
import pytest
import torch

from saecli.errors import SaecliError
from saecli.sae.metrics import evaluate
from tests.dictionaries import random_dictionary


def batches(offset: float = 0.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 6, 8), (1, 6, 8), (3, 8)]
    return [torch.randn(*shape, generator=generator) * 3 + offset for shape in shapes]


@pytest.mark.parametrize("activation", ["topk", "relu", "jumprelu"])
@pytest.mark.parametrize("offset", [0.0, 500.0])
def test_figures_are_those_of_the_whole_set(activation, offset):
    dictionary = random_dictionary(activation=activation)
    x = torch.cat([batch.reshape(-1, 8) for batch in batches(offset)])
    f = dictionary.encode(x)
    reconstruction = dictionary.decode(f).double().numpy()
    exact = x.double().numpy()
    residual = ((exact - reconstruction) ** 2).sum()
    fvu = residual / ((exact - exact.mean(axis=0)) ** 2).sum()

    got = evaluate(dictionary, batches(offset))
    assert got.fvu == pytest.approx(fvu, rel=1e-5)
    assert got.explained_variance == 1 - got.fvu
    density = (f > 0).double().mean(dim=0)
    torch.testing.assert_close(got.density, density, rtol=0, atol=1e-15)
    assert got.l0 == pytest.approx(float((f > 0).sum(dim=1).double().mean()), rel=1e-12)
    assert got.dead_fraction == float((density == 0).double().mean())
    assert got.n_patches == len(x) == 33


def test_float64_sums_agree_to_1e_10():
    dictionary = random_dictionary().to(dtype=torch.float64)
    x = torch.cat([batch.reshape(-1, 8) for batch in batches(40.0)]).double()
    exact, decoded = x.numpy(), dictionary.decode(dictionary.encode(x)).numpy()
    expected = ((exact - decoded) ** 2).sum() / ((exact - exact.mean(axis=0)) ** 2).sum()
    assert evaluate(dictionary, [x[:7], x[7:]]).fvu == pytest.approx(expected, rel=1e-10)


def test_the_split_into_batches_does_not_matter():
    dictionary = random_dictionary(activation="relu")
    x = torch.cat([batch.reshape(-1, 8) for batch in batches()])
    whole, single = evaluate(dictionary, [x]), evaluate(dictionary, list(x))
    assert single.fvu == pytest.approx(whole.fvu, rel=1e-6)
    assert np.array_equal(single.density, whole.density)


@pytest.mark.parametrize(
    ("x", "words"), [([], "none of the pictures"), ([torch.ones(9, 8)], "9 patches that are all")]
)
def test_nothing_to_explain_is_said(x, words):
    with pytest.raises(SaecliError, match=words):
        evaluate(random_dictionary(), x)
