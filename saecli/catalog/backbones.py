"""Backbones in the catalog, known by the digest of weights, configuration and transform."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.tables import Backbone
from saecli.grid import Grid


@dataclass(frozen=True)
class BackboneInfo:
    """A backbone; ``name`` is what loads it, ``source`` the local folder or the hub's name."""

    id: int
    digest: str
    name: str
    family: str
    source: str
    d_model: int
    n_blocks: int
    grid: Grid
    image_transform: str
    untrained: bool


def add_backbone(
    session: Session,
    invocation: int,
    *,
    digest: str,
    name: str,
    family: str,
    source: str,
    d_model: int,
    n_blocks: int,
    grid: Grid,
    image_transform: str,
    untrained: bool = False,
) -> BackboneInfo:
    """Keep a backbone; one of the same digest is kept once, under the name given last."""
    row = session.scalar(select(Backbone).where(Backbone.digest == digest))
    if row is None:
        row = Backbone(
            digest=digest,
            name=name,
            family=family,
            source=source,
            d_model=d_model,
            n_blocks=n_blocks,
            rows=grid.rows,
            columns=grid.columns,
            image_transform=image_transform,
            untrained=untrained,
            invocation_id=invocation,
        )
        session.add(row)
    else:
        row.name, row.source = name, source
    session.flush()
    return backbone_info(row)


def find_backbone(session: Session, digest: str) -> BackboneInfo | None:
    """The backbone of a digest, or None."""
    row = session.scalar(select(Backbone).where(Backbone.digest == digest))
    return None if row is None else backbone_info(row)


def backbone_info(row: Backbone) -> BackboneInfo:
    """A row as a plain value."""
    return BackboneInfo(
        row.id,
        row.digest,
        row.name,
        row.family,
        row.source,
        row.d_model,
        row.n_blocks,
        Grid(row.rows, row.columns),
        row.image_transform,
        row.untrained,
    )
