"""A dictionary's latents and exemplars in batches, for what writes them elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.arrays import unpack_map
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.figures import unpack_figures
from saecli.catalog.labels import automatic_labels, current_labels
from saecli.catalog.profiles import ProfileInfo
from saecli.catalog.tables import Image, LatentExemplar, LatentProfile, Profile


@dataclass(frozen=True)
class DumpedExemplar:
    """A picture of a latent; the map is its activation where it fires, SAE units."""

    index: int
    kind: str
    rank: int
    path: str
    sha256: str
    patch: int
    activation: float
    map_patches: NDArray[np.int64]  # (n,)
    map_values: NDArray[np.float32]  # (n,)


@dataclass(frozen=True)
class DumpedLatent:
    """A latent's figures over the profile's patches, and what it is called."""

    index: int
    n_active: int
    density: float
    mean_activation: float
    max_activation: float
    histogram: NDArray[np.int64]  # (bins,)
    monosemanticity: float | None
    label: str | None
    automatic_label: str | None
    exemplars: list[DumpedExemplar]


def histogram_edges(session: Session, profile: ProfileInfo) -> NDArray[np.float64]:
    """The edges of a profile's histograms, (bins + 1,), SAE units."""
    row = session.get_one(Profile, profile.id)
    return np.frombuffer(row.histogram_edges, "<f8")


def dump_latents(
    session: Session, dictionary: DictionaryInfo, profile: ProfileInfo, *, batch: int
) -> Iterator[list[DumpedLatent]]:
    """All latents of a dictionary in order, so many at a time, with their exemplars.

    Args:
        session: of the catalog.
        dictionary: whose latents.
        profile: whose figures and exemplars.
        batch: latents at a time; memory holds one batch.
    """
    labels = current_labels(session, dictionary)
    automatic = automatic_labels(session, dictionary)
    n_patches = dictionary.grid.n_patches
    n_bins = len(histogram_edges(session, profile)) - 1
    for start in range(0, dictionary.n_latents, batch):
        stop = min(start + batch, dictionary.n_latents)
        exemplars: dict[int, list[DumpedExemplar]] = {}
        for found in session.execute(
            select(LatentExemplar, Image.path, Image.sha256)
            .join(Image, LatentExemplar.image_id == Image.id)
            .where(
                LatentExemplar.profile_id == profile.id,
                LatentExemplar.number >= start,
                LatentExemplar.number < stop,
            )
            .order_by(LatentExemplar.number, LatentExemplar.kind, LatentExemplar.rank)
        ):
            row = found[0]
            dense = np.zeros(n_patches, np.float32)
            if row.map:  # a near miss has none
                dense = unpack_map(row.map, n_patches, row.activation)
            fires = np.flatnonzero(dense)
            exemplars.setdefault(row.number, []).append(
                DumpedExemplar(
                    *(row.number, row.kind, row.rank, found.path, found.sha256, row.patch),
                    *(row.activation, fires, dense[fires]),
                )
            )
        session.expunge_all()
        figures = session.execute(
            select(LatentProfile)
            .where(
                LatentProfile.profile_id == profile.id,
                LatentProfile.number >= start,
                LatentProfile.number < stop,
            )
            .order_by(LatentProfile.number)
        ).scalars()
        yield [
            DumpedLatent(
                index=row.number,
                n_active=row.n_active,
                density=row.n_active / max(profile.n_patches, 1),
                mean_activation=row.total / max(row.n_active, 1),
                max_activation=row.maximum,
                histogram=np.array(counts, np.int64),
                monosemanticity=told.get("monosemanticity"),
                label=labels.get(row.number),
                automatic_label=automatic.get(row.number),
                exemplars=exemplars.get(row.number, []),
            )
            for row in figures
            for counts, told in [unpack_figures(row.histogram, n_bins)]
        ]
        session.expunge_all()
