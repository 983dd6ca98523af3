"""What a profile says about all latents of a dictionary at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.arrays import unpack_signature
from saecli.catalog.artifacts import read_artifact
from saecli.catalog.profiles import ProfileInfo
from saecli.catalog.tables import LatentProfile, Profile
from saecli.grid import CoarseMaps


@dataclass(frozen=True)
class Statistics:
    """Every latent's figures over a profile's patches; arrays are (n_latents,)."""

    n_patches: int
    n_active: NDArray[np.int64]  # patches with f > 0
    total: NDArray[np.float64]  # sum of f over them
    maximum: NDArray[np.float64]

    @cached_property
    def density(self) -> NDArray[np.float64]:
        """The share of patches with f > 0."""
        return self.n_active / max(self.n_patches, 1)

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """The mean activation where f > 0; 0 for a latent that never fires."""
        return self.total / np.maximum(self.n_active, 1)


def statistics(session: Session, profile: ProfileInfo) -> Statistics:
    """Every latent's figures over a profile's patches."""
    rows = session.execute(
        select(LatentProfile.n_active, LatentProfile.total, LatentProfile.maximum)
        .where(LatentProfile.profile_id == profile.id)
        .order_by(LatentProfile.number)
    ).all()
    return Statistics(
        profile.n_patches,
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.float64),
    )


def read_signature(
    session: Session, profile: ProfileInfo
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """The signatures of a profile's latents.

    Returns:
        (M,) int64 positions in the image set, and (n_latents, M) float16: each latent's largest
        activation on each of these pictures.

    Raises:
        SaecliError: if they are missing or damaged.
    """
    positions, maxima, _ = read_patterns(session, profile)
    return positions, maxima


def read_patterns(
    session: Session, profile: ProfileInfo
) -> tuple[NDArray[np.int64], NDArray[np.float16], CoarseMaps | None]:
    """The signatures as `read_signature`, and the latents' coarse maps where the profile has some.

    Raises:
        SaecliError: if they are missing or damaged.
    """
    row = session.get_one(Profile, profile.id)
    maxima, coarse = unpack_signature(read_artifact(session, row.signature_id))
    return np.frombuffer(row.signature_positions, "<i4").astype(np.int64), maxima, coarse
