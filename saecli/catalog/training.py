"""Writing a dictionary: a draft while it is trained, visible to others once it is whole."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from saecli.catalog.artifacts import Artifact
from saecli.catalog.backbones import BackboneInfo
from saecli.catalog.dictionaries import DictionaryInfo, dictionary_names, get_dictionary
from saecli.catalog.opening import catalog_of
from saecli.catalog.tables import Dictionary, Latent, Meta, TrainingPoint
from saecli.errors import SaecliError
from saecli.refs import check_dictionary_name


def check_name_free(session: Session, name: str) -> None:
    """Refuse the name of a published dictionary, before any work is done.

    Raises:
        SaecliError: if the name is taken, or can't name a dictionary.
    """
    check_dictionary_name(name)
    if name in dictionary_names(session):
        raise SaecliError(
            f"{catalog_of(session).name} has a dictionary '{name}' already",
            "choose another --name",
        )


def begin_dictionary(
    session: Session,
    invocation: int,
    *,
    name: str,
    backbone: BackboneInfo,
    layer: int,
    n_latents: int,
    activation: str,
    settings: Mapping[str, Any],
    tokens: str = "patches",
    untrained: bool = False,
    image_set: str | None = None,
    replace: bool = False,
    resume: bool = False,
) -> int:
    """Start a draft, which no other command sees; returns its row's number.

    An older draft of the name, left by an interrupted run, is dropped, or with ``resume`` gone on
    with: its training points stay.

    Raises:
        SaecliError: if a published dictionary has the name and ``replace`` is not set.
    """
    if replace:
        check_dictionary_name(name)
    else:
        check_name_free(session, name)
    values = {
        "layer": layer,
        "n_latents": n_latents,
        "activation": activation,
        "settings": dict(settings),
        "tokens": tokens,
        "untrained": untrained,
        "image_set": image_set,
        "backbone_id": backbone.id,
        "invocation_id": invocation,
    }
    old = session.scalar(
        select(Dictionary).where(Dictionary.name == name, Dictionary.published.is_(False))
    )
    if old is not None and resume:
        session.execute(update(Dictionary).where(Dictionary.id == old.id).values(**values))
        return old.id
    if old is not None:
        # It goes after the new one is there, so that its number isn't given again: a run that
        # is displaced must not write into another's draft.
        old.name = f"{name} {old.id}"
        session.flush()
    draft = Dictionary(name=name, published=False, **values)
    session.add(draft)
    session.flush()
    if old is not None:
        session.execute(delete(Dictionary).where(Dictionary.id == old.id))
    return draft.id


def add_training_points(
    session: Session, draft: int, points: Iterable[Mapping[str, float]]
) -> None:
    """Note figures of a running training; each has `step`, `patches_seen` and what else it has.

    A step that was noted before (a resumed run passes it again) is replaced.

    Raises:
        SaecliError: if another run has begun a dictionary of the name since.
    """
    _get_draft(session, draft)
    rows = [
        {
            "dictionary_id": draft,
            "step": int(point["step"]),
            "patches_seen": int(point["patches_seen"]),
            "figures": {
                key: value for key, value in point.items() if key not in ("step", "patches_seen")
            },
        }
        for point in points
    ]
    if rows:
        session.execute(insert(TrainingPoint).prefix_with("OR REPLACE"), rows)


def drop_draft(session: Session, draft: int) -> None:
    """Remove a draft that comes to nothing, with its training points."""
    session.execute(
        delete(Dictionary).where(Dictionary.id == draft, Dictionary.published.is_(False))
    )


def publish_dictionary(
    session: Session,
    draft: int,
    *,
    checkpoint: Artifact,
    explained_variance: float | None,
    l0: float | None,
    dead_fraction: float | None,
    patches_seen: int | None,
    seconds: float | None,
    plan: Mapping[str, Any] | None = None,
) -> DictionaryInfo:
    """Make a draft visible, with its latents; the first one becomes the catalog's default.

    An older dictionary of the name stays, under a new name (`clip-2`), with its labels and
    experiments. If that one has the very same checkpoint, it is kept as it is and returned.
    Figures that nobody measured, of an imported dictionary, are None.
    The settings get ``plan``, what they came to for these pictures, under that name.

    Raises:
        SaecliError: if the same checkpoint is in the catalog under another name, or another run
            has begun a dictionary of this name since.
    """
    row = _get_draft(session, draft)
    same = session.scalar(select(Dictionary).where(Dictionary.sha256 == checkpoint.sha256))
    if same is not None:
        session.execute(delete(Dictionary).where(Dictionary.id == draft))
        if same.name != row.name:
            raise SaecliError(
                f"the dictionary '{row.name}' came out the same as '{same.name}'",
                f"use '{same.name}', or train with another --seed",
            )
        return get_dictionary(session, same.name)
    older = session.scalar(
        select(Dictionary).where(Dictionary.name == row.name, Dictionary.published)
    )
    if older is not None:
        older.name = free_name(session, row.name)
        session.flush()
    row.sha256, row.checkpoint_id = checkpoint.sha256, checkpoint.id
    row.explained_variance, row.l0, row.dead_fraction = explained_variance, l0, dead_fraction
    row.patches_seen, row.seconds = patches_seen, seconds
    if plan is not None:
        row.settings = row.settings | {"plan": dict(plan)}
    row.published = True
    session.flush()
    session.execute(
        insert(Latent), [{"dictionary_id": row.id, "number": i} for i in range(row.n_latents)]
    )
    default = session.scalar(select(Meta.default_dictionary_id))
    if default is None or (older is not None and default == older.id):
        session.execute(update(Meta).values(default_dictionary_id=row.id))
    return get_dictionary(session, row.name)


def _get_draft(session: Session, draft: int) -> Dictionary:
    row = session.get(Dictionary, draft)
    if row is None:
        raise SaecliError(
            f"another saecli has begun to train a dictionary of the same name in "
            f"{catalog_of(session).name} meanwhile",
            "train this one again under another --name",
        )
    return row


def free_name(session: Session, name: str) -> str:
    """The first of `clip-2`, `clip-3`, … that no dictionary has."""
    taken = set(session.scalars(select(Dictionary.name)))
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
