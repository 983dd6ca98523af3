"""The state of an unfinished training run, as a file that it continues from.

Read with ``weights_only``: a file from elsewhere can't run code.
"""

import pickle
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

from saecli.activations.source import Position
from saecli.errors import SaecliError
from saecli.files import write_whole
from saecli.sae.model import Identity
from saecli.sae.plan import Plan

FORMAT = 3


@dataclass(frozen=True)
class SavedMember:
    """What one dictionary needs to go on as if its run had never stopped.

    Attributes:
        plan: as resolved.
        step: steps done.
        rates: (step, Adam's peak rate from that step on), where it was changed in between.
        tensors: weights, activity, sums over the interval under way.
        objective: what it keeps beside the weights.
        optimiser: Adam's state.
        figures: patches seen, seconds, and counts of the interval under way.
    """

    plan: Plan
    step: int
    rates: list[tuple[int, float]]
    tensors: dict[str, torch.Tensor]
    objective: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    figures: dict[str, float]


@dataclass(frozen=True)
class SavedRun:
    """What a run needs to go on as if it had never stopped.

    Attributes:
        plans: of all dictionaries, those that diverged included.
        identity: of the dictionaries.
        pictures: the source's fingerprint, as a check that they are the same.
        step: steps done.
        position: of the shuffled stream.
        normalisation: mean and scale.
        variance: of the normalised patches.
        members: the dictionaries that are still trained, by number.
        lost: the sentences of those that diverged, by number.
    """

    plans: list[Plan]
    identity: Identity
    pictures: str
    step: int
    position: Position
    normalisation: dict[str, torch.Tensor]
    variance: float
    members: dict[int, SavedMember]
    lost: dict[int, str]


_PLAIN = ("pictures", "step", "normalisation", "variance", "lost")


def save_run(run: SavedRun, path: Path) -> None:
    """Write the state whole or not at all.

    Raises:
        SaecliError: if the disk is full or the place can't be written.
    """
    content: dict[str, Any] = {field: getattr(run, field) for field in _PLAIN}
    content |= {"format": FORMAT, "plans": [asdict(plan) for plan in run.plans]}
    content |= {"identity": asdict(run.identity), "position": asdict(run.position)}
    content["members"] = {
        number: vars(member) | {"plan": asdict(member.plan)}
        for number, member in run.members.items()
    }
    with write_whole(path) as file:
        torch.save(content, file)


def load_run(path: Path, plans: Sequence[Plan], identity: Identity, pictures: str) -> SavedRun:
    """Read a state if it belongs to this run; only Adam's rate may be another now.

    Raises:
        SaecliError: if it can't be read, is damaged, or was left by a run with other settings,
            another backbone or other images.
    """
    remedy = "delete it to start anew, or repeat the settings that it was begun with"
    run = _read(path, remedy)
    if len(run.plans) != len(plans):
        raise SaecliError(
            f"{path} was left by a run of {len(run.plans)} dictionaries, not {len(plans)}", remedy
        )
    for then, now in zip(run.plans, plans, strict=True):
        if replace(then, lr=now.lr) != now:
            before, after = asdict(then), asdict(now)
            name = next(key for key in after if key != "lr" and before[key] != after[key])
            raise SaecliError(
                f"{path} was left by a run with {name} = {before[name]}, not {after[name]}", remedy
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


def _read(path: Path, remedy: str) -> SavedRun:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols, for a file of another kind
            content = torch.load(path, map_location="cpu", weights_only=True)
        version = content.pop("format")
        if version != FORMAT:
            raise SaecliError(f"{path} was left by another version of saecli", remedy)
        identity = content.pop("identity")
        members = content.pop("members")
        return SavedRun(
            plans=[Plan(**plan) for plan in content.pop("plans")],
            identity=Identity(**(identity | {"grid": tuple(identity["grid"])})),
            position=Position(**content.pop("position")),
            members={
                number: SavedMember(**(member | {"plan": Plan(**member["plan"])}))
                for number, member in members.items()
            },
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
