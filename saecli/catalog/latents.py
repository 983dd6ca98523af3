"""Latents in the catalog: their figures, their label and the pictures they fire on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.figures import latent_figures
from saecli.catalog.labels import current_labels
from saecli.catalog.profiles import ProfileInfo, current_profile
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Image, LatentExemplar, LatentProfile
from saecli.records import Exemplar, ImageRef
from saecli.refs import latent_ref

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LatentSummary:
    """A latent's label and figures; the figures are None without a profile."""

    index: int
    ref: str
    label: str | None
    density: float | None
    mean_activation: float | None
    max_activation: float | None


@dataclass(frozen=True)
class ExemplarMap:
    """An exemplar with the latent's activation on every patch of it, SAE units."""

    exemplar: Exemplar
    sha256: str
    map: "NDArray[np.float32] | None"  # (n_patches,); None where the profile kept none


def summaries(
    session: Session, dictionary: DictionaryInfo, indices: Iterable[int]
) -> dict[int, LatentSummary]:
    """Label and figures of latents, by index, from the dictionary's newest profile."""
    chosen = list(indices)
    labels = current_labels(session, dictionary, chosen)
    profile = current_profile(session, dictionary)
    figures = {} if profile is None else _figures(session, profile, chosen)
    return {
        index: LatentSummary(
            index,
            latent_ref(dictionary.name, index),
            labels.get(index),
            *figures.get(index, (None, None, None)),
        )
        for index in chosen
    }


def _figures(
    session: Session, profile: ProfileInfo, indices: list[int]
) -> dict[int, tuple[float, float, float]]:
    """Density, mean and maximum by index."""
    found: dict[int, tuple[float, float, float]] = {}
    for chunk in chunks(indices):
        rows = session.execute(
            select(
                LatentProfile.number,
                LatentProfile.n_active,
                LatentProfile.total,
                LatentProfile.maximum,
            ).where(LatentProfile.profile_id == profile.id, LatentProfile.number.in_(chunk))
        )
        for number, n_active, total, maximum in rows:
            density = n_active / max(profile.n_patches, 1)
            found[number] = (density, total / max(n_active, 1), maximum)
    return found


def exemplars(
    session: Session,
    dictionary: DictionaryInfo,
    indices: Iterable[int],
    *,
    kind: str = "top",
    top: int = 16,
) -> dict[int, list[Exemplar]]:
    """Pictures that latents fire on, by index, best first; latents without any are left out.

    Args:
        session: of the catalog.
        dictionary: whose newest profile is read.
        indices: of the latents.
        kind: `top`, `quantile`, `random` or `near_miss`.
        top: how many of each latent.
    """
    profile = current_profile(session, dictionary)
    if profile is None:
        return {}
    found: dict[int, list[Exemplar]] = {}
    for chunk in chunks(indices):
        rows = session.execute(
            select(
                LatentExemplar.number,
                LatentExemplar.image_id,
                Image.path,
                LatentExemplar.patch,
                LatentExemplar.activation,
            )
            .join(Image, LatentExemplar.image_id == Image.id)
            .where(
                LatentExemplar.profile_id == profile.id,
                LatentExemplar.number.in_(chunk),
                LatentExemplar.kind == kind,
                LatentExemplar.rank < top,
            )
            .order_by(LatentExemplar.number, LatentExemplar.rank)
        )
        for number, image_id, path, patch, activation in rows:
            found.setdefault(number, []).append(
                Exemplar(ImageRef(image_id, path), patch, activation)
            )
    return found


def exemplar_maps(
    session: Session, dictionary: DictionaryInfo, index: int, *, kind: str = "top", top: int = 16
) -> list[ExemplarMap]:
    """A latent's exemplars with its activation on every patch of each, best first."""
    profile = current_profile(session, dictionary)
    if profile is None:
        return []
    rows = session.execute(
        select(
            LatentExemplar.image_id,
            Image.path,
            Image.sha256,
            LatentExemplar.patch,
            LatentExemplar.activation,
            LatentExemplar.map,
        )
        .join(Image, LatentExemplar.image_id == Image.id)
        .where(
            LatentExemplar.profile_id == profile.id,
            LatentExemplar.number == index,
            LatentExemplar.kind == kind,
            LatentExemplar.rank < top,
        )
        .order_by(LatentExemplar.rank)
    )
    from saecli.catalog.arrays import unpack_map

    n_patches = dictionary.grid.n_patches
    return [
        ExemplarMap(
            Exemplar(ImageRef(image_id, path), patch, activation),
            sha256,
            None if packed is None else unpack_map(packed, n_patches, activation),
        )
        for image_id, path, sha256, patch, activation, packed in rows
    ]


def histogram(
    session: Session, dictionary: DictionaryInfo, index: int
) -> dict[str, list[float]] | None:
    """A latent's active patches by activation: `edges` (B + 1, SAE units), `counts` (B)."""
    found = latent_figures(session, dictionary, index)
    return None if found is None else {"edges": found.edges, "counts": [*found.counts]}
