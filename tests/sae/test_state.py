"""The state file of an unfinished run: only that very run continues from it."""

import pickle
from dataclasses import replace

import pytest
import torch

from saecli.activations.source import Position
from saecli.errors import SaecliError
from saecli.sae.plan import resolve
from saecli.sae.settings import TrainSettings
from saecli.sae.state import SavedMember, SavedRun, load_run, save_run
from tests.dictionaries import IDENTITY

PLAN = resolve(TrainSettings(), 8, 1000)


MEMBER = SavedMember(
    plan=PLAN,
    step=3,
    rates=[(0, PLAN.lr)],
    tensors={"W_enc": torch.arange(6.0).view(2, 3)},
    objective={"threshold": torch.tensor(0.5)},
    optimiser={"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]},
    figures={"seconds": 7.5},
)


@pytest.fixture
def path(tmp_path):
    run = SavedRun(
        plans=[PLAN, replace(PLAN, k=16)],
        identity=IDENTITY,
        pictures="abc",
        step=3,
        position=Position(1, 0, 7),
        normalisation={"mean": torch.ones(3)},
        variance=7.5,
        members={1: MEMBER},
        lost={0: "it diverged"},
    )
    save_run(run, tmp_path / "clip.state")
    return tmp_path / "clip.state"


PLANS = [PLAN, replace(PLAN, k=16)]


def test_what_is_saved_is_loaded(path):
    run = load_run(path, PLANS, IDENTITY, "abc")
    assert (run.step, run.position, run.variance) == (3, Position(1, 0, 7), 7.5)
    assert (run.plans, run.identity, run.lost) == (PLANS, IDENTITY, {0: "it diverged"})
    assert torch.equal(run.normalisation["mean"], torch.ones(3))
    (member,) = run.members.values()
    assert torch.equal(member.tensors["W_enc"], torch.arange(6.0).view(2, 3))
    assert float(member.objective["threshold"]) == 0.5
    assert member.optimiser["param_groups"] == [{"lr": 0.1}]
    assert (member.plan, member.rates, member.figures) == (PLAN, [(0, PLAN.lr)], {"seconds": 7.5})


def test_a_run_may_go_on_with_another_rate(path):
    slower = [replace(plan, lr=plan.lr / 2) for plan in PLANS]
    assert load_run(path, slower, IDENTITY, "abc").step == 3


@pytest.mark.parametrize(
    ("plans", "identity", "pictures", "words"),
    [
        ([PLAN, PLAN], IDENTITY, "abc", "with k = 16, not 32"),
        ([PLAN], IDENTITY, "abc", "a run of 2 dictionaries, not 1"),
        (PLANS, replace(IDENTITY, layer=2), "abc", "clip:tiny, layer 1"),
        (PLANS, IDENTITY, "abd", "on other pictures"),
    ],
)
def test_another_run_is_refused(path, plans, identity, pictures, words):
    with pytest.raises(SaecliError, match=words):
        load_run(path, plans, identity, pictures)


@pytest.mark.parametrize("keep", [0, 10, 400, -100])
def test_a_cut_file_is_damaged(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SaecliError, match="is damaged; delete it"):
        load_run(path, PLANS, IDENTITY, "abc")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SaecliError, match="can't be read"):
        load_run(tmp_path / "none.state", PLANS, IDENTITY, "abc")


class Trap:
    """Would create a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_is_never_executed(tmp_path):
    sprung = tmp_path / "sprung"
    torch.save({"format": 3, "plan": Trap(sprung)}, tmp_path / "a.state")
    (tmp_path / "b.state").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("a.state", "b.state"):
        with pytest.raises(SaecliError, match="damaged"):
            load_run(tmp_path / name, PLANS, IDENTITY, "abc")
    assert not sprung.exists()
