"""What was looked at: observations, and the selections that proposed latents."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, get_latents, latent_ids
from saecli.catalog.images import ImageSetInfo
from saecli.catalog.queries import insert_rows
from saecli.catalog.tables import (
    Dictionary,
    Image,
    Invocation,
    Latent,
    Member,
    Observation,
    ObservedLatent,
    SelectedLatent,
    Selection,
)
from saecli.records import ImageRef
from saecli.refs import Concept

EXPLAINED = "explained"  # of an inspection's settings: which prediction was explained


@dataclass(frozen=True)
class ObservationInfo:
    """What `inspect` saw; latents are (index, summed activation), strongest first.

    ``explained`` is the prediction that it explained, if any: probe, class, against, latent.
    """

    number: int
    image: ImageRef
    dictionary: str
    patches: tuple[int, ...]
    latents: tuple[tuple[int, float], ...]
    explained: dict[str, Any] | None = None


def add_observation(
    session: Session,
    invocation: int,
    *,
    image_id: int,
    dictionary: DictionaryInfo,
    patches: Sequence[int],
    latents: Iterable[tuple[int, float]],
) -> int:
    """Keep what was seen on some patches of a picture; returns the observation's number.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        image_id: of the picture.
        dictionary: whose latents fired.
        patches: that were looked at.
        latents: (index, activation summed over the patches), strongest first.
    """
    row = Observation(
        uuid=str(uuid.uuid4()),
        image_id=image_id,
        dictionary_id=dictionary.id,
        patches=[int(patch) for patch in patches],
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    seen = list(latents)
    ids = latent_ids(session, dictionary, [index for index, _ in seen])
    insert_rows(
        session,
        ObservedLatent,
        [
            {
                "observation_id": row.id,
                "rank": rank,
                "latent_id": latent_id,
                "activation": float(activation),
            }
            for rank, (latent_id, (_, activation)) in enumerate(zip(ids, seen, strict=True))
        ],
    )
    return row.id


def last_observation(session: Session) -> ObservationInfo | None:
    """The newest observation, or None."""
    row = session.execute(
        select(Observation, Image.path, Dictionary.name, Invocation.settings)
        .join(Image, Observation.image_id == Image.id)
        .join(Invocation, Observation.invocation_id == Invocation.id)
        .join(Dictionary, Observation.dictionary_id == Dictionary.id)
        .order_by(Observation.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    observation, path, name, settings = row
    latents = session.execute(
        select(Latent.number, ObservedLatent.activation)
        .join(Latent, ObservedLatent.latent_id == Latent.id)
        .where(ObservedLatent.observation_id == observation.id)
        .order_by(ObservedLatent.rank)
    )
    return ObservationInfo(
        observation.id,
        ImageRef(observation.image_id, path),
        name,
        tuple(observation.patches),
        tuple((number, activation) for number, activation in latents),
        settings.get(EXPLAINED),
    )


def add_selection(
    session: Session,
    invocation: int,
    *,
    kind: str,
    dictionary: DictionaryInfo,
    image_set: ImageSetInfo,
    class_name: str,
    latents: Iterable[tuple[int, Mapping[str, Any]]],
    against: str | None = None,
    probe_id: int | None = None,
) -> int:
    """Keep a ranking of latents; its pictures take no part in testing what it proposes.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        kind: `detect` or `attribute`.
        dictionary: whose latents were ranked.
        image_set: on whose pictures.
        class_name: what they were ranked for.
        latents: (index, figures by name), best first.
        against: the class that the margin is over, if any.
        probe_id: of the probe whose margin it is, if any.
    """
    row = Selection(
        uuid=str(uuid.uuid4()),
        kind=kind,
        dictionary_id=dictionary.id,
        image_set_id=image_set.id,
        class_name=class_name,
        against=against,
        probe_id=probe_id,
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    ranked = list(latents)
    ids = latent_ids(session, dictionary, [index for index, _ in ranked])
    insert_rows(
        session,
        SelectedLatent,
        [
            {
                "selection_id": row.id,
                "rank": rank,
                "latent_id": latent_id,
                "figures": dict(figures),
            }
            for rank, (latent_id, (_, figures)) in enumerate(zip(ids, ranked, strict=True))
        ],
    )
    return row.id


def selecting_images(
    session: Session, concept: Concept, *, before: datetime | None = None
) -> set[str]:
    """The hashes of the pictures that a recorded choice of any of these latents used.

    Args:
        session: of the catalog.
        concept: the latents.
        before: choices made since don't count.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, ids = get_latents(session, concept)
    observed = (
        select(Observation.image_id)
        .join(ObservedLatent, ObservedLatent.observation_id == Observation.id)
        .where(ObservedLatent.latent_id.in_(ids))
    )
    selected = (
        select(Member.image_id)
        .join(Selection, Selection.image_set_id == Member.image_set_id)
        .join(SelectedLatent, SelectedLatent.selection_id == Selection.id)
        .where(SelectedLatent.latent_id.in_(ids))
    )
    if before is not None:
        observed = observed.where(Observation.created < before)
        selected = selected.where(Selection.created < before)
    numbers = union(observed, selected).subquery()
    return set(session.scalars(select(Image.sha256).where(Image.id.in_(select(numbers)))))
