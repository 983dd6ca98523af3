"""Trials: what all arms of an experiment did to each picture."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from saecli.catalog.arrays import pack_arrays, unpack_arrays
from saecli.catalog.tables import Trial


@dataclass(frozen=True)
class TrialFigures:
    """What all arms did to one picture: arrays over arms by name; None until it was run."""

    position: int
    image_id: int
    figures: dict[str, NDArray[Any]] | None


def add_trials(
    session: Session,
    experiment: int,
    trials: Iterable[tuple[int, Mapping[str, NDArray[Any]]]],
) -> None:
    """Keep what all arms did to some pictures: (position, arrays over arms by name)."""
    for position, figures in trials:
        session.execute(
            update(Trial)
            .where(Trial.experiment_id == experiment, Trial.position == position)
            .values(figures=pack_arrays(figures))
        )


def read_trials(session: Session, experiment: int) -> list[TrialFigures]:
    """The pictures of an experiment in order, with what the arms did to each that was run."""
    rows = session.execute(
        select(Trial.position, Trial.image_id, Trial.figures)
        .where(Trial.experiment_id == experiment)
        .order_by(Trial.position)
    )
    return [
        TrialFigures(position, image_id, None if packed is None else unpack_arrays(packed))
        for position, image_id, packed in rows
    ]
