"""Dictionaries in the catalog: found by name, each with its identity."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from saecli.catalog.artifacts import read_artifact
from saecli.catalog.backbones import BackboneInfo, backbone_info
from saecli.catalog.opening import catalog_of, missing
from saecli.catalog.queries import chunks
from saecli.catalog.tables import Backbone, Dictionary, Invocation, Latent, Meta, TrainingPoint
from saecli.errors import SaecliError, one_of
from saecli.grid import Grid
from saecli.refs import Concept, latent_ref


@dataclass(frozen=True)
class DictionaryInfo:
    """A published dictionary; ``sha256`` is its checkpoint's hash and its identity."""

    id: int
    name: str
    sha256: str
    checkpoint_id: int
    backbone: BackboneInfo
    layer: int
    tokens: str
    n_latents: int
    activation: str
    settings: dict[str, Any]
    image_set: str | None
    untrained: bool
    explained_variance: float | None
    l0: float | None
    dead_fraction: float | None
    patches_seen: int | None
    seconds: float | None
    created: datetime
    command: str

    @property
    def d_model(self) -> int:
        return self.backbone.d_model

    @property
    def grid(self) -> Grid:
        return self.backbone.grid


def dictionaries(session: Session, name: str | None = None) -> list[DictionaryInfo]:
    """The published dictionaries, in the order they were trained; of one name if it is given."""
    chosen = (
        select(Dictionary, Backbone, Invocation.command, Invocation.arguments)
        .join(Backbone, Dictionary.backbone_id == Backbone.id)
        .join(Invocation, Dictionary.invocation_id == Invocation.id)
        .where(Dictionary.published)
        .order_by(Dictionary.created, Dictionary.id)
    )
    if name is not None:
        chosen = chosen.where(Dictionary.name == name)
    return [
        DictionaryInfo(
            id=row.id,
            name=row.name,
            sha256=row.sha256 or "",
            checkpoint_id=row.checkpoint_id or 0,
            backbone=backbone_info(backbone),
            layer=row.layer,
            tokens=row.tokens,
            n_latents=row.n_latents,
            activation=row.activation,
            settings=row.settings,
            image_set=row.image_set,
            untrained=row.untrained,
            explained_variance=row.explained_variance,
            l0=row.l0,
            dead_fraction=row.dead_fraction,
            patches_seen=row.patches_seen,
            seconds=row.seconds,
            created=row.created,
            command=shlex.join(["saecli", command, *map(str, arguments)]),
        )
        for row, backbone, command, arguments in session.execute(chosen)
    ]


def dictionary_names(session: Session) -> list[str]:
    """The names of the published dictionaries."""
    return list(
        session.scalars(select(Dictionary.name).where(Dictionary.published).order_by(Dictionary.id))
    )


def find_dictionary(session: Session, name: str) -> DictionaryInfo | None:
    """The dictionary of a name, or None."""
    return next(iter(dictionaries(session, name)), None)


def get_dictionary(session: Session, name: str) -> DictionaryInfo:
    """The dictionary of a name.

    Raises:
        SaecliError: if there is none, with the names that there are.
    """
    found = find_dictionary(session, name)
    if found is not None:
        return found
    names = dictionary_names(session)
    if not names:
        raise SaecliError(
            f"no dictionary '{name}' in {catalog_of(session).name}, which has none",
            "train one with saecli train",
        )
    raise missing(
        session,
        "dictionary",
        name,
        one_of(names, name),
        "name one of these, or train it with saecli train",
    )


def get_latents(session: Session, concept: Concept) -> tuple[DictionaryInfo, list[int]]:
    """A concept's dictionary, and the row numbers of its latents.

    Raises:
        SaecliError: if there is no such dictionary, or a latent is beyond its width.
    """
    dictionary = get_dictionary(session, concept.dictionary)
    return dictionary, latent_ids(session, dictionary, concept.latents)


def latent_ids(session: Session, dictionary: DictionaryInfo, indices: Sequence[int]) -> list[int]:
    """The row numbers of latents, in the order of their indices.

    Raises:
        SaecliError: if a latent is beyond the dictionary's width.
    """
    beyond = [index for index in indices if not 0 <= index < dictionary.n_latents]
    if beyond:
        raise SaecliError(
            f"there is no latent {latent_ref(dictionary.name, beyond[0])}: "
            f"'{dictionary.name}' has {dictionary.n_latents:,}",
            f"give one from 0 to {dictionary.n_latents - 1}",
        )
    ids: dict[int, int] = {}
    for chunk in chunks(indices):
        rows = session.execute(
            select(Latent.number, Latent.id).where(
                Latent.dictionary_id == dictionary.id, Latent.number.in_(chunk)
            )
        )
        ids.update((number, latent_id) for number, latent_id in rows)
    return [ids[index] for index in indices]


def default_name(session: Session) -> str | None:
    """The name of the dictionary that commands take where none is named."""
    return session.scalar(
        select(Dictionary.name).join(Meta, Meta.default_dictionary_id == Dictionary.id)
    )


def default_dictionary(session: Session) -> DictionaryInfo:
    """The dictionary that commands take where none is named.

    Raises:
        SaecliError: if the catalog has no dictionary, or no default.
    """
    name = default_name(session)
    if name is not None:
        return get_dictionary(session, name)
    names = dictionary_names(session)
    if not names:
        raise SaecliError(
            f"{catalog_of(session).name} has no dictionary yet", "train one with saecli train"
        )
    raise SaecliError(
        f"{catalog_of(session).name} has no default dictionary",
        f"choose one of {one_of(names)} with saecli catalog default NAME",
    )


def set_default(session: Session, name: str) -> DictionaryInfo:
    """Choose the dictionary that commands take where none is named.

    Raises:
        SaecliError: if there is no dictionary of that name.
    """
    found = get_dictionary(session, name)
    session.execute(update(Meta).values(default_dictionary_id=found.id))
    return found


def untrained_twin(session: Session, dictionary: DictionaryInfo) -> DictionaryInfo | None:
    """The newest other dictionary of the same backbone, layer and width with random weights.

    Of another number of latents it would be no control: the best of more is larger by chance.
    """
    found = _untrained(session, dictionary)
    same = (one for one in found if one.n_latents == dictionary.n_latents)
    return next(same, None)


def untrained_of_other_width(session: Session, dictionary: DictionaryInfo) -> list[DictionaryInfo]:
    """Dictionaries that would be the untrained twin if they had as many latents, newest first."""
    found = _untrained(session, dictionary)
    return [one for one in found if one.n_latents != dictionary.n_latents]


def _untrained(session: Session, dictionary: DictionaryInfo) -> list[DictionaryInfo]:
    names = session.scalars(
        select(Dictionary.name)
        .join(Backbone, Dictionary.backbone_id == Backbone.id)
        .where(
            Dictionary.published,
            Dictionary.untrained,
            Dictionary.id != dictionary.id,
            Dictionary.layer == dictionary.layer,
            Backbone.family == dictionary.backbone.family,
            Backbone.source == dictionary.backbone.source,
        )
        .order_by(Dictionary.id.desc())
    )
    found = (find_dictionary(session, name) for name in names)
    return [one for one in found if one is not None]


def read_checkpoint(session: Session, dictionary: DictionaryInfo) -> bytes:
    """The safetensors file of a dictionary, verified.

    Raises:
        SaecliError: if it is missing or damaged.
    """
    return read_artifact(session, dictionary.checkpoint_id)


def training_points(session: Session, dictionary: DictionaryInfo) -> list[dict[str, float]]:
    """The figures noted during training, in order; each has `step` and `patches_seen`."""
    rows = session.execute(
        select(TrainingPoint.step, TrainingPoint.patches_seen, TrainingPoint.figures)
        .where(TrainingPoint.dictionary_id == dictionary.id)
        .order_by(TrainingPoint.step)
    )
    return [{"step": step, "patches_seen": seen, **figures} for step, seen, figures in rows]
