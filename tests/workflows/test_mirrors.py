"""Mirrors copy what the catalog has; what isn't installed is said, what fails ends no run."""

import sys

import pytest

from saecli.errors import SaecliError
from saecli.progress import SILENT
from saecli.workflows import mirrors
from saecli.workflows.mirrors import Mirrored, opened

POINTS = [{"step": step, "loss": 1.0 / step, "l0": 8.0 + step} for step in (1, 2, 3)]


class Heard:
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, name, total, unit):
        return SILENT.task(name, total, unit)

    def say(self, message: str) -> None:
        self.said.append(message)


def test_tensorboard_reads_the_very_figures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with opened(Mirrored(tensorboard=tmp_path), {}, Heard()) as mirrors_:
        for point in POINTS:
            for name in ("a-k2", "a-k4"):
                for mirror in mirrors_:
                    mirror.add(name, point)
    for name in ("a-k2", "a-k4"):
        events = EventAccumulator(str(tmp_path / name))
        events.Reload()
        assert set(events.Tags()["scalars"]) == {"loss", "l0"}
        found = [(event.step, event.value) for event in events.Scalars("loss")]
        assert found == [(point["step"], pytest.approx(point["loss"])) for point in POINTS]


@pytest.mark.parametrize(
    ("wanted", "module", "words"),
    [
        ({"tensorboard": "."}, "torch.utils.tensorboard.writer", "TensorBoard isn't installed; "),
        ({"wandb": "birds"}, "wandb", "Weights & Biases isn't installed; "),
    ],
)
def test_what_is_not_installed_is_said_with_the_extra(monkeypatch, wanted, module, words):
    monkeypatch.setitem(sys.modules, module, None)  # as if it weren't there
    with pytest.raises(SaecliError, match=words) as raised, opened(Mirrored(**wanted), {}, Heard()):
        pass
    assert f"saecli[{next(iter(wanted))}]" in str(raised.value)


def test_a_mirror_that_fails_is_dropped_once_and_ends_nothing(tmp_path, monkeypatch):
    heard = Heard()
    with opened(Mirrored(tensorboard=tmp_path), {}, heard) as (mirror,):
        mirror.add("a", POINTS[0])

        def full(*args):
            raise OSError("no space left on device")

        monkeypatch.setattr(mirrors._TensorBoard, "add", full)
        mirror.add("a", POINTS[1])
        mirror.add("a", POINTS[2])
    assert heard.said == [
        "TensorBoard gets no more figures (no space left on device); the catalog has them all"
    ]
