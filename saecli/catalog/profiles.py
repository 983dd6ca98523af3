"""Profiles: what a dictionary's latents do on an image set."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.images import ImageSetInfo, image_set_by_id
from saecli.catalog.opening import catalog_of
from saecli.catalog.tables import ImageSet, Profile
from saecli.errors import SaecliError


@dataclass(frozen=True)
class ProfileInfo:
    """A published profile."""

    id: int
    dictionary_id: int
    image_set: ImageSetInfo
    n_images: int
    n_patches: int
    n_alive: int
    seconds: float
    settings: dict[str, Any]


def current_profile(
    session: Session, dictionary: DictionaryInfo, image_set: str | None = None
) -> ProfileInfo | None:
    """The newest profile of a dictionary, over the image set of a name if one is given."""
    chosen = (
        select(Profile)
        .join(ImageSet, Profile.image_set_id == ImageSet.id)
        .where(Profile.dictionary_id == dictionary.id, Profile.published)
        .order_by(Profile.created.desc(), Profile.id.desc())
    )
    if image_set is not None:
        chosen = chosen.where(ImageSet.name == image_set)
    row = session.scalar(chosen.limit(1))
    return None if row is None else profile_info(session, row)


def profile_over(
    session: Session, dictionary: DictionaryInfo, pictures: ImageSetInfo
) -> ProfileInfo | None:
    """The newest profile of a dictionary over the very pictures of a set, whatever its name."""
    row = session.scalar(
        select(Profile)
        .join(ImageSet, Profile.image_set_id == ImageSet.id)
        .where(
            Profile.dictionary_id == dictionary.id,
            Profile.published,
            ImageSet.digest == pictures.digest,
        )
        .order_by(Profile.created.desc(), Profile.id.desc())
        .limit(1)
    )
    return None if row is None else profile_info(session, row)


def get_profile(
    session: Session, dictionary: DictionaryInfo, image_set: str | None = None
) -> ProfileInfo:
    """The newest profile of a dictionary, over the image set of a name if one is given.

    Raises:
        SaecliError: if it has none.
    """
    found = current_profile(session, dictionary, image_set)
    if found is None:
        over = f" over '{image_set}'" if image_set else ""
        raise SaecliError(
            f"'{dictionary.name}' in {catalog_of(session).name} has no profile{over}",
            f"run saecli profile {dictionary.name} --images {image_set or 'SET'}",
        )
    return found


def shared_profiles(
    session: Session, first: DictionaryInfo, second: DictionaryInfo
) -> tuple[ProfileInfo, ProfileInfo]:
    """The newest profiles of two dictionaries over the same pictures in the same order.

    Raises:
        SaecliError: if there are none, with what each was profiled on.
    """
    over: dict[int, dict[str, Profile]] = {}
    names: dict[int, list[str]] = {}
    for dictionary in (first, second):
        rows = session.execute(
            select(Profile, ImageSet.digest, ImageSet.name)
            .join(ImageSet, Profile.image_set_id == ImageSet.id)
            .where(Profile.dictionary_id == dictionary.id, Profile.published)
            .order_by(Profile.created, Profile.id)
        ).all()
        over[dictionary.id] = {digest: profile for profile, digest, _ in rows}
        names[dictionary.id] = [name for _, _, name in rows]
    shared = [digest for digest in over[first.id] if digest in over[second.id]]
    if not shared:
        sets = [
            f"'{d.name}' on {', '.join(names[d.id])}" if names[d.id] else f"'{d.name}' on none"
            for d in (first, second)
        ]
        lacking = second if names[first.id] else first
        common = (names[first.id] or names[second.id] or ["SET"])[-1]
        raise SaecliError(
            f"the two dictionaries were profiled on different pictures ({sets[0]}, {sets[1]})",
            f"profile them on the same: saecli profile {lacking.name} --images {common}",
        )
    newest = max(shared, key=lambda digest: over[first.id][digest].created)
    return (
        profile_info(session, over[first.id][newest]),
        profile_info(session, over[second.id][newest]),
    )


def profile_info(session: Session, row: Profile) -> ProfileInfo:
    """A row as a plain value."""
    return ProfileInfo(
        row.id,
        row.dictionary_id,
        image_set_by_id(session, row.image_set_id),
        row.n_images,
        row.n_patches,
        row.n_alive,
        row.seconds,
        row.settings,
    )
