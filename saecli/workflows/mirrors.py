"""TensorBoard and Weights & Biases: copies of the figures that the catalog has first.

What goes wrong in a mirror is said once and never ends a run.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from saecli.errors import SaecliError
from saecli.progress import Progress


class Mirror(Protocol):
    """Where figures go beside the catalog."""

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        """Copy the figures of a dictionary; they have a `step`."""

    def close(self) -> None:
        """Write what is still to be written."""


@dataclass(frozen=True)
class Mirrored:
    """What a user asked for: TensorBoard's folder, a project of Weights & Biases."""

    tensorboard: Path | None = None
    wandb: str | None = None


NOWHERE = Mirrored()


class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise _missing("TensorBoard", "tensorboard") from error
        self._make: Callable[[str], Any] = lambda name: SummaryWriter(str(folder / name))
        self._writers: dict[str, Any] = {}

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        writer = self._writers.get(name)
        if writer is None:
            writer = self._writers[name] = self._make(name)
        for key, value in figures.items():
            if key != "step":
                writer.add_scalar(key, value, int(figures["step"]))

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


class _Wandb:
    """One run for the command; a dictionary's figures stand under its name."""

    def __init__(self, project: str, settings: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise _missing("Weights & Biases", "wandb") from error
        self._run = wandb.init(project=project, config=dict(settings))

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        values = {f"{name}/{key}": value for key, value in figures.items()}
        self._run.log(values)

    def close(self) -> None:
        self._run.finish()


class _Careful:
    """A mirror that is dropped at its first failure."""

    def __init__(self, mirror: Mirror, what: str, progress: Progress) -> None:
        self._mirror: Mirror | None = mirror
        self._what = what
        self._progress = progress

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        self._try(lambda mirror: mirror.add(name, figures))

    def close(self) -> None:
        self._try(lambda mirror: mirror.close())

    def _try(self, work: Callable[[Mirror], None]) -> None:
        if self._mirror is None:
            return
        try:
            work(self._mirror)
        except Exception as error:  # whatever a library of others raises
            self._mirror = None
            self._progress.say(
                f"{self._what} gets no more figures ({error}); the catalog has them all"
            )


@contextmanager
def opened(
    wanted: Mirrored, settings: Mapping[str, Any], progress: Progress
) -> Iterator[list[Mirror]]:
    """The mirrors that were asked for, closed at the end.

    Raises:
        SaecliError: if one isn't installed or can't be begun.
    """
    mirrors: list[Mirror] = []
    try:
        if wanted.tensorboard is not None:
            mirrors.append(_Careful(_TensorBoard(wanted.tensorboard), "TensorBoard", progress))
        if wanted.wandb is not None:
            mirrors.append(_Careful(_begun(wanted.wandb, settings), "Weights & Biases", progress))
        yield mirrors
    finally:
        for mirror in mirrors:
            mirror.close()


def _begun(project: str, settings: Mapping[str, Any]) -> Mirror:
    try:
        return _Wandb(project, settings)
    except SaecliError:
        raise
    except Exception as error:
        raise SaecliError(
            f"Weights & Biases can't begin a run ({error})",
            "set WANDB_MODE=offline, or leave --wandb out",
        ) from error


def _missing(what: str, extra: str) -> SaecliError:
    return SaecliError(f"{what} isn't installed", f"pip install 'saecli[{extra}]'")
