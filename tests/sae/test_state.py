"""The state file of an unfinished run: only that very run continues from it."""

import pickle
from dataclasses import replace

import pytest
import torch

from saecli.activations.source import Position
from saecli.errors import SaecliError
from saecli.sae.plan import resolve
from saecli.sae.settings import TrainSettings
from saecli.sae.state import SavedRun, load_run, save_run
from tests.dictionaries import IDENTITY

PLAN = resolve(TrainSettings(), 8, 1000)


@pytest.fixture
def path(tmp_path):
    run = SavedRun(
        plan=PLAN,
        identity=IDENTITY,
        pictures="abc",
        step=3,
        position=Position(1, 0, 7),
        tensors={"W_enc": torch.arange(6.0).view(2, 3)},
        objective={"threshold": torch.tensor(0.5)},
        optimiser={"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]},
        figures={"variance": 7.5},
    )
    save_run(run, tmp_path / "clip.state")
    return tmp_path / "clip.state"


def test_what_is_saved_is_loaded(path):
    run = load_run(path, PLAN, IDENTITY, "abc")
    assert (run.step, run.position, run.figures) == (3, Position(1, 0, 7), {"variance": 7.5})
    assert (run.plan, run.identity) == (PLAN, IDENTITY)
    assert torch.equal(run.tensors["W_enc"], torch.arange(6.0).view(2, 3))
    assert run.optimiser["param_groups"] == [{"lr": 0.1}]


@pytest.mark.parametrize(
    ("plan", "identity", "pictures", "words"),
    [
        (replace(PLAN, lr=0.5), IDENTITY, "abc", "with lr = .*, not 0.5"),
        (PLAN, replace(IDENTITY, layer=2), "abc", "clip:tiny, layer 1"),
        (PLAN, IDENTITY, "abd", "on other pictures"),
    ],
)
def test_another_run_is_refused(path, plan, identity, pictures, words):
    with pytest.raises(SaecliError, match=words):
        load_run(path, plan, identity, pictures)


@pytest.mark.parametrize("keep", [0, 10, 400, -100])
def test_a_cut_file_is_damaged(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SaecliError, match="is damaged; delete it"):
        load_run(path, PLAN, IDENTITY, "abc")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SaecliError, match="can't be read"):
        load_run(tmp_path / "none.state", PLAN, IDENTITY, "abc")


class Trap:
    """Would create a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_is_never_executed(tmp_path):
    sprung = tmp_path / "sprung"
    torch.save({"format": 2, "plan": Trap(sprung)}, tmp_path / "a.state")
    (tmp_path / "b.state").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("a.state", "b.state"):
        with pytest.raises(SaecliError, match="damaged"):
            load_run(tmp_path / name, PLAN, IDENTITY, "abc")
    assert not sprung.exists()
