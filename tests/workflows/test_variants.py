"""Sweeps: every combination once, under a name that says what is varied."""

import pytest

from saecli.errors import SaecliError
from saecli.sae.settings import TrainSettings
from saecli.workflows.variants import variants


def test_every_combination_has_a_name_of_what_is_varied():
    found = variants(
        TrainSettings(), {"latents": ["8x", "16x"], "k": [16, 32], "lr": [3e-4], "l1": [0.1]}
    )
    assert [one.name("clip") for one in found] == [
        *("clip-8x-k16", "clip-8x-k32", "clip-16x-k16", "clip-16x-k32")
    ]
    assert [(one.settings.latents, one.settings.k) for one in found] == [
        *(("8x", 16), ("8x", 32), ("16x", 16), ("16x", 32))
    ]
    assert {(one.settings.lr, one.settings.l1) for one in found} == {(3e-4, 0.1)}


def test_one_combination_has_the_name_itself():
    (only,) = variants(TrainSettings(), {"k": [8]})
    assert (only.name("clip"), only.settings.k) == ("clip", 8)


def test_rates_are_written_so_that_they_can_be_names():
    found = variants(TrainSettings(), {"lr": [3e-4, 1e-3, 5e-5]})
    assert [one.name("a") for one in found] == ["a-lr0.0003", "a-lr0.001", "a-lr5e-05"]


@pytest.mark.parametrize(
    ("objective", "choices", "words"),
    [
        ("topk", {"k": [8, 16, 8]}, "--k has 8 twice"),
        ("relu", {"k": [8, 16]}, "of --k make no difference to relu; vary --l1,"),
        ("topk", {"l1": [0.1, 0.2]}, "of --l1 make no difference to topk"),
        ("jumprelu", {"l1": [0.1, 0.2]}, "vary --l0 or --k"),
        ("topk", {"k": list(range(1, 14)), "lr": [1.0, 2.0, 3.0, 4.0, 5.0]}, "65 dictionaries"),
    ],
)
def test_sweeps_that_cannot_be_meant_are_wrong_usage(objective, choices, words):
    with pytest.raises(SaecliError, match=words) as raised:
        variants(TrainSettings(objective=objective), choices)
    assert raised.value.usage
