"""Writing a profile: a draft in short batches, visible to others once it is whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.orm import Session

from saecli.catalog.arrays import pack_map, pack_signature
from saecli.catalog.artifacts import store_artifact
from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.figures import pack_figures
from saecli.catalog.images import ImageSetInfo, image_ids
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import ProfileInfo, profile_info
from saecli.catalog.tables import Artifact, LatentExemplar, LatentProfile, Profile
from saecli.errors import SaecliError
from saecli.grid import CoarseMaps

BATCH = 1024  # latents per transaction: some 50,000 rows, a fraction of a second

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ExemplarArrays:
    """Pictures that latents fire on, R per latent, best first; -1 where there are fewer.

    The maps are one flat list over (latent, rank) in row-major order: the picture ``i * R + r``
    has the entries from ``map_offsets[i * R + r]`` to the next offset.
    """

    image: Integers  # (S, R) positions in the image set
    patch: Integers  # (S, R)
    activation: Floats  # (S, R), SAE units
    map_offsets: Integers | None = None  # (S * R + 1,)
    map_patches: Integers | None = None  # (n,)
    map_values: Floats | None = None  # (n,), positive

    def map_of(self, latent: int, rank: int) -> bytes | None:
        """One picture's map, packed."""
        if self.map_offsets is None or self.map_patches is None or self.map_values is None:
            return None
        at = latent * self.image.shape[1] + rank
        start, end = int(self.map_offsets[at]), int(self.map_offsets[at + 1])
        peak = float(self.activation[latent, rank])
        return pack_map(self.map_patches[start:end], self.map_values[start:end], peak)


@dataclass(frozen=True)
class ProfileArrays:
    """What one pass over an image set found, for S latents."""

    n_images: int
    n_patches: int
    n_active: Integers  # (S,) patches with f > 0
    total: Floats  # (S,) sum of f over them, float64
    maximum: Floats  # (S,)
    histogram: Integers  # (S, B) counts of f > 0
    edges: Floats  # (B + 1,), SAE units
    exemplars: Mapping[str, ExemplarArrays]  # by kind: top, quantile, random, near_miss
    signature_positions: Integers  # (M,) positions in the image set
    signature: Floats  # (S, M) largest activation on each of these pictures
    coarse: CoarseMaps | None = None  # where they fire on these pictures
    figures: Sequence[Mapping[str, Any]] | None = None  # (S,) what else is known of each latent


def store_profile(
    catalog: Catalog,
    invocation: int,
    *,
    dictionary: DictionaryInfo,
    image_set: ImageSetInfo,
    arrays: ProfileArrays,
    settings: Mapping[str, Any],
    seconds: float,
) -> ProfileInfo:
    """Keep a profile; it takes the place of an older one of the same dictionary and pictures.

    Args:
        catalog: open for writing, in no transaction.
        invocation: the command's number.
        dictionary: whose latents were profiled.
        image_set: what they were profiled on; positions in ``arrays`` are positions in it.
        arrays: what was found.
        settings: of the profiling step; plain JSON values.
        seconds: that the pass took.

    Raises:
        SaecliError: if another process writes a profile of the same pair meanwhile.
    """
    n_latents = len(arrays.n_active)
    if n_latents != dictionary.n_latents:
        raise ValueError(f"{n_latents} latents profiled, the dictionary has {dictionary.n_latents}")
    if arrays.n_images != image_set.n_images:
        raise ValueError(f"{arrays.n_images} images profiled, the set has {image_set.n_images}")
    with catalog.writing() as session:
        draft = Profile(
            dictionary_id=dictionary.id,
            image_set_id=image_set.id,
            published=False,
            n_images=arrays.n_images,
            n_patches=arrays.n_patches,
            n_alive=int(np.count_nonzero(arrays.n_active)),
            seconds=seconds,
            settings=dict(settings),
            histogram_edges=np.asarray(arrays.edges, "<f8").tobytes(),
            signature_positions=np.asarray(arrays.signature_positions, "<i4").tobytes(),
            signature_id=store_artifact(
                session, invocation, pack_signature(arrays.signature, arrays.coarse), "signature"
            ).id,
            invocation_id=invocation,
        )
        session.add(draft)
        session.flush()
        profile_id = draft.id
        # Drafts of interrupted runs go, which nobody saw; after the new one is there, so that
        # no number is given again and a displaced run can't write into another's draft.
        _drop(session, dictionary, image_set, Profile.published.is_(False), Profile.id != draft.id)
        ids = image_ids(session, image_set)
    for start in range(0, n_latents, BATCH):
        latents = range(start, min(start + BATCH, n_latents))
        with catalog.writing() as session:
            _get_draft(session, profile_id, dictionary)
            session.execute(insert(LatentProfile), _statistics_rows(profile_id, arrays, latents))
            rows = list(_exemplar_rows(profile_id, arrays, latents, ids))
            if rows:
                session.execute(insert(LatentExemplar), rows)
    with catalog.writing() as session:
        _drop(session, dictionary, image_set, Profile.published.is_(True))
        row = _get_draft(session, profile_id, dictionary)
        row.published = True
        session.flush()
        return profile_info(session, row)


def _get_draft(session: Session, profile_id: int, dictionary: DictionaryInfo) -> Profile:
    row = session.get(Profile, profile_id)
    if row is None:
        raise SaecliError(
            f"another saecli has begun to profile '{dictionary.name}' over the same pictures "
            "meanwhile",
            "wait for that one; nothing is lost",
        )
    return row


def _drop(
    session: Session,
    dictionary: DictionaryInfo,
    image_set: ImageSetInfo,
    *which: ColumnElement[bool],
) -> None:
    session.execute(
        delete(Profile).where(
            Profile.dictionary_id == dictionary.id,
            Profile.image_set_id == image_set.id,
            *which,
        )
    )
    # A signature in the catalog's folder loses its row here; its file is then unreferenced.
    used = select(Profile.signature_id)
    session.execute(delete(Artifact).where(Artifact.kind == "signature", Artifact.id.not_in(used)))


def _statistics_rows(
    profile_id: int, arrays: ProfileArrays, latents: range
) -> list[dict[str, Any]]:
    histogram = np.asarray(arrays.histogram, "<i8")
    return [
        {
            "profile_id": profile_id,
            "number": i,
            "n_active": int(arrays.n_active[i]),
            "total": float(arrays.total[i]),
            "maximum": float(arrays.maximum[i]),
            "histogram": pack_figures(
                histogram[i].tobytes(), None if arrays.figures is None else arrays.figures[i]
            ),
        }
        for i in latents
    ]


def _exemplar_rows(
    profile_id: int, arrays: ProfileArrays, latents: range, ids: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """In the order of the table's key, so that pages fill one after the other."""
    for i in latents:
        for kind in sorted(arrays.exemplars):
            found = arrays.exemplars[kind]
            for rank, position in enumerate(found.image[i].tolist()):
                if position < 0:
                    continue
                yield {
                    "profile_id": profile_id,
                    "number": i,
                    "kind": kind,
                    "rank": rank,
                    "image_id": int(ids[position]),
                    "patch": int(found.patch[i, rank]),
                    "activation": float(found.activation[i, rank]),
                    "map": found.map_of(i, rank),
                }
