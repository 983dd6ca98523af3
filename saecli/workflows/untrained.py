"""The untrained twin that stands beside what was found: a control of the dictionary itself."""

from typing import Any

from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import (
    DictionaryInfo,
    untrained_of_other_width,
    untrained_twin,
)
from saecli.progress import Progress
from saecli.refs import latent_ref


def twin_of(
    session: Session, dictionary: DictionaryInfo, progress: Progress
) -> DictionaryInfo | None:
    """A dictionary's untrained twin; where only one of another width is there, that is said."""
    found = untrained_twin(session, dictionary)
    if found is None:
        for other in untrained_of_other_width(session, dictionary)[:1]:
            progress.say(
                f"'{other.name}' has {other.n_latents} latents and '{dictionary.name}' "
                f"{dictionary.n_latents}: it is not taken as its untrained twin, since the best of "
                f"more is larger by chance (saecli train --untrained --latents "
                f"{dictionary.n_latents})"
            )
    return found


def told_twin(twin: DictionaryInfo | None, latent: int | None = None) -> dict[str, Any] | None:
    """Which dictionary, and which latent of it, something stood beside; as plain JSON values."""
    if twin is None:
        return None
    ref = None if latent is None else latent_ref(twin.name, latent)
    return {"dictionary": twin.name, "sha256": twin.sha256, "ref": ref}
