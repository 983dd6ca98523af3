"""What a search over latents reads of the pictures that their signatures are over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.backbones import BackboneInfo, backbone_info
from saecli.catalog.images import ImageSetInfo
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Backbone, Image, Member


@dataclass(frozen=True)
class PlacedPicture:
    """A picture of a set, at its position."""

    position: int
    image_id: int
    path: str
    sha256: str
    label: str | None


def pictures_at(
    session: Session, image_set: ImageSetInfo, positions: NDArray[np.int64]
) -> list[PlacedPicture]:
    """The pictures at some positions of a set, in the order of the positions."""
    found: dict[int, PlacedPicture] = {}
    for chunk in chunks(positions.tolist()):
        rows = session.execute(
            select(Member.position, Member.image_id, Image.path, Image.sha256, Member.label)
            .join(Image, Member.image_id == Image.id)
            .where(Member.image_set_id == image_set.id, Member.position.in_(chunk))
        )
        found.update((row.position, PlacedPicture(*row)) for row in rows)
    return [found[position] for position in positions.tolist()]


def clip_backbones(session: Session) -> list[BackboneInfo]:
    """The trained backbones that read text, in the order they were first recorded."""
    rows = session.scalars(
        select(Backbone).where(Backbone.family == "clip", ~Backbone.untrained).order_by(Backbone.id)
    )
    return [backbone_info(row) for row in rows]
