"""What both trainings share: the clock, checkpoints to go on from, the log, float16 files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from saecli.demo.backbones.schedule import Clock, cosine_rate


class Run:
    """A training that can be broken off and taken up again.

    Args:
        name: names its files, `NAME.pt` and `NAME.deadline`, in the work folder.
        work: an existing folder.
        settings: the training's settings dataclass; a checkpoint of other settings is not
            taken up, only its minutes may differ.
        parts: everything with a state; "optimizer" among them.
    """

    def __init__(self, name: str, work: Path, settings: Any, parts: Mapping[str, Any]) -> None:
        self._file = work / f"{name}.pt"
        self._parts = parts
        self._settings = {k: v for k, v in asdict(settings).items() if k != "minutes"}
        self._seen: dict[str, float] = {}
        self._last = time.monotonic()
        self.step, self.pictures = 0, 0
        left, progress = settings.minutes * 60, 0.0
        if self._file.is_file():
            state = torch.load(self._file, weights_only=True)
            if state["settings"] == self._settings:
                for key, part in parts.items():
                    part.load_state_dict(state["parts"][key])
                torch.set_rng_state(state["generator"])
                self.step, self.pictures = state["step"], state["pictures"]
                left, progress = state["seconds_left"], state["progress"]
        self.clock = Clock(left, progress, work / f"{name}.deadline")

    def set_rate(self, peak: float, warmup: int, final: float) -> None:
        """Give the optimizer the learning rate of this step (`cosine_rate`)."""
        rate = cosine_rate(peak, self.clock.progress, self.step, warmup, final)
        for group in self._parts["optimizer"].param_groups:
            group["lr"] = rate

    def count(self, pictures: int, losses: Mapping[str, Tensor]) -> None:
        """Note that a step was done, on so many pictures, with these losses."""
        self.step += 1
        self.pictures += pictures
        for name, loss in losses.items():
            old = self._seen.get(name, loss.item())
            self._seen[name] = 0.95 * old + 0.05 * loss.item()

    def due(self, seconds: float) -> bool:
        """Whether the last report is so many seconds old."""
        return time.monotonic() - self._last >= seconds

    def save(self, scores: Mapping[str, float]) -> None:
        """Print a line on the state, and write the checkpoint, whole or not at all."""
        figures = {**self._seen, **scores}
        line = "  ".join(f"{name} {figure:.3f}" for name, figure in figures.items())
        print(
            f"{time.strftime('%H:%M:%S')}  {self.clock.progress:5.1%}  step {self.step}  "
            f"{self.pictures} pictures  {self.clock.seconds_left / 60:.1f} min left  {line}",
            flush=True,
        )
        state = {
            "settings": self._settings,
            "parts": {key: part.state_dict() for key, part in self._parts.items()},
            "generator": torch.get_rng_state(),
            "step": self.step,
            "pictures": self.pictures,
            "seconds_left": self.clock.seconds_left,
            "progress": self.clock.progress,
        }
        part = self._file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._file)
        self._last = time.monotonic()


def parameter_groups(modules: Iterable[nn.Module], decay: float) -> list[dict[str, Any]]:
    """Parameters in two groups: matrices, which decay, and vectors and numbers, which don't."""
    parameters = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def save_half(model: nn.Module, path: Path) -> None:
    """Write a model's weights as float16 safetensors, whole or not at all."""
    part = path.with_suffix(".part")
    weights = {name: w.detach().half().contiguous() for name, w in model.state_dict().items()}
    save_file(weights, part, metadata={"format": "pt"})
    part.chmod(0o644)
    part.replace(path)
