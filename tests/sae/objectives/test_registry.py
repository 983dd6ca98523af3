"""Objectives are found by name."""

import pytest

from saecli.errors import SaecliError
from saecli.sae.objectives import OBJECTIVES, Buffers, objective_of
from saecli.sae.plan import resolve
from saecli.sae.settings import TrainSettings


@pytest.mark.parametrize(
    ("name", "activation", "k"),
    [
        ("topk", "topk", 4),
        ("batchtopk", "jumprelu", None),
        ("relu", "relu", None),
        ("jumprelu", "jumprelu", None),
    ],
)
def test_each_objective_says_what_it_trains(name, activation, k):
    plan = resolve(TrainSettings(objective=name, k=4), 16, 1000)
    objective = objective_of(plan, "float32", Buffers())
    assert (objective.activation, objective.k) == (activation, k)


def test_an_unknown_objective_is_refused_with_the_known_ones():
    plan = resolve(TrainSettings(objective="top-k"), 16, 1000)
    with pytest.raises(SaecliError, match="no objective 'top-k'; choose topk") as raised:
        objective_of(plan, "float32", Buffers())
    assert all(name in str(raised.value) for name in OBJECTIVES)
