"""The state of an unfinished training run, as a file that it continues from.

Read with ``weights_only``: a file from elsewhere can't run code.
"""

import pickle
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

from saecli.activations.source import Position
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.sae.model import Identity
from saecli.sae.plan import Plan

FORMAT = 2


@dataclass(frozen=True)
class SavedRun:
    """What a run needs to go on as if it had never stopped.

    Attributes:
        plan: as resolved when it began.
        identity: of the dictionary.
        pictures: the source's fingerprint, as a check that they are the same.
        step: steps done.
        position: of the shuffled stream.
        tensors: weights, normalisation, activity.
        objective: what it keeps beside the weights.
        optimiser: Adam's state.
        figures: variance, patches seen, seconds, and sums over the interval under way.
    """

    plan: Plan
    identity: Identity
    pictures: str
    step: int
    position: Position
    tensors: dict[str, torch.Tensor]
    objective: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    figures: dict[str, float]


def save_run(run: SavedRun, path: Path) -> None:
    """Write the state whole or not at all.

    Raises:
        SaecliError: if the disk is full or the place can't be written.
    """
    content = {field: getattr(run, field) for field in ("pictures", "step", "tensors", "figures")}
    content["format"] = FORMAT
    content["objective"], content["optimiser"] = run.objective, run.optimiser
    for field in ("plan", "identity", "position"):
        content[field] = asdict(getattr(run, field))
    with write_whole(path) as file:
        torch.save(content, file)


def load_run(path: Path, plan: Plan, identity: Identity, pictures: str) -> SavedRun:
    """Read a state if it belongs to this run.

    Raises:
        SaecliError: if it can't be read, is damaged, or was left by a run with other settings,
            another backbone or other images.
    """
    remedy = "delete it to start anew, or repeat the settings that it was begun with"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols, for a file of another kind
            content = torch.load(path, map_location="cpu", weights_only=True)
        version = content.pop("format")
        if version != FORMAT:
            raise SaecliError(f"{path} was left by another version of saecli", remedy)
        identity_then = content.pop("identity")
        run = SavedRun(
            plan=Plan(**content.pop("plan")),
            identity=Identity(**(identity_then | {"grid": tuple(identity_then["grid"])})),
            position=Position(**content.pop("position")),
            **content,
        )
    except OSError as error:
        raise SaecliError(f"{path} can't be read ({error.strerror or error})", remedy) from error
    except (
        RuntimeError,
        EOFError,
        BadZipFile,
        pickle.UnpicklingError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise SaecliError(f"{path} is damaged", "delete it and train again") from error
    if run.plan != plan:
        before, now = asdict(run.plan), asdict(plan)
        name = next(key for key in now if before[key] != now[key])
        raise SaecliError(
            f"{path} was left by a run with {name} = {before[name]}, not {now[name]}", remedy
        )
    if run.identity != identity:
        raise SaecliError(
            f"{path} was left by a run on {run.identity.backbone}, layer "
            f"{run.identity.layer}, and this is another",
            remedy,
        )
    if run.pictures != pictures:
        raise SaecliError(f"{path} was left by a run on other pictures or another cache", remedy)
    return run
