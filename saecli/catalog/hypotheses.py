"""Hypotheses: predictions committed with their whole plan before they are tested."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, get_latents
from saecli.catalog.opening import catalog_of
from saecli.catalog.probes import ProbeInfo
from saecli.catalog.queries import insert_rows
from saecli.catalog.tables import (
    Dictionary,
    Experiment,
    Hypothesis,
    HypothesisLatent,
    Invocation,
    Latent,
    Probe,
)
from saecli.errors import SaecliError
from saecli.refs import Concept


@dataclass(frozen=True)
class HypothesisInfo:
    """A committed prediction; ``hash`` is over the plan and the digests of what it names.

    ``tested_before`` are the judged experiments with this very plan that were begun, under another
    hypothesis, before this one was stated.
    """

    number: int
    hash: str
    statement: str
    concept: Concept  # under the dictionary's name of now
    probe: str
    plan: dict[str, Any]
    registered: bool
    replaces: int | None
    created: datetime
    command: str  # that stated it
    tested_before: tuple[int, ...]


def add_hypothesis(
    session: Session,
    invocation: int,
    *,
    statement: str,
    concept: Concept,
    probe: ProbeInfo,
    plan: Mapping[str, Any],
    registered: bool,
    replaces: int | None = None,
) -> tuple[int, str]:
    """Commit a prediction before it is tested; returns its number and hash.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        statement: the prediction in words.
        concept: the latents it is about.
        probe: whose prediction it is about.
        plan: class, expected class, value, scope, images, controls, α, …; plain JSON values.
        registered: False for what is committed by the very command that tests it (exploratory).
        replaces: the hypothesis that this one mends.

    Raises:
        SaecliError: if there is no such latent.
    """
    dictionary, ids = get_latents(session, concept)
    digest = plan_hash(session, dictionary, concept, probe, plan)
    row = Hypothesis(
        uuid=str(uuid.uuid4()),
        statement=statement,
        dictionary_id=dictionary.id,
        probe_id=probe.id,
        plan=dict(plan),
        plan_hash=digest,
        registered=registered,
        replaces_id=replaces,
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    insert_rows(
        session,
        HypothesisLatent,
        [{"hypothesis_id": row.id, "latent_id": latent_id} for latent_id in ids],
    )
    return row.id, digest


def plan_hash(
    session: Session,
    dictionary: DictionaryInfo,
    concept: Concept,
    probe: ProbeInfo,
    plan: Mapping[str, Any],
) -> str:
    """SHA-256 in hex of a plan and the digests of what it names."""
    whole = {
        "plan": dict(plan),
        "latents": list(concept.latents),
        "dictionary": dictionary.sha256,
        "backbone": probe.backbone.digest,
        "probe": probe.sha256,
    }
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def get_hypothesis(session: Session, number: int) -> HypothesisInfo:
    """The hypothesis of a number.

    Raises:
        SaecliError: if there is none.
    """
    found = session.execute(
        select(Hypothesis, Dictionary.name, Probe.name, Invocation.command)
        .join(Dictionary, Hypothesis.dictionary_id == Dictionary.id)
        .join(Probe, Hypothesis.probe_id == Probe.id)
        .join(Invocation, Hypothesis.invocation_id == Invocation.id)
        .where(Hypothesis.id == number)
    ).first()
    if found is None:
        raise SaecliError(
            f"there is no hypothesis {number} in {catalog_of(session).name}",
            "see which there are with saecli hypothesis list",
        )
    row, dictionary, probe, command = found
    latents = session.scalars(
        select(Latent.number)
        .join(HypothesisLatent, HypothesisLatent.latent_id == Latent.id)
        .where(HypothesisLatent.hypothesis_id == number)
        .order_by(Latent.number)
    )
    return HypothesisInfo(
        row.id,
        row.plan_hash,
        row.statement,
        Concept(dictionary, tuple(latents)),
        probe,
        row.plan,
        row.registered,
        row.replaces_id,
        row.created,
        command,
        tested_before(session, row),
    )


def find_hypothesis(session: Session, digest: str) -> HypothesisInfo | None:
    """The newest hypothesis of a hash, or None."""
    number = session.scalar(
        select(Hypothesis.id)
        .where(Hypothesis.plan_hash == digest)
        .order_by(Hypothesis.id.desc())
        .limit(1)
    )
    return None if number is None else get_hypothesis(session, number)


def was_begun(session: Session, number: int) -> bool:
    """Whether a picture of a hypothesis was run, or could have been."""
    begun = select(Experiment.id).where(Experiment.hypothesis_id == number).limit(1)
    return session.scalar(begun) is not None


def tested_before(session: Session, row: Hypothesis) -> tuple[int, ...]:
    """See :class:`HypothesisInfo`; oldest first."""
    found = (
        select(Experiment.id)
        .join(Hypothesis, Experiment.hypothesis_id == Hypothesis.id)
        .where(
            Hypothesis.plan_hash == row.plan_hash,
            Hypothesis.id != row.id,
            Experiment.verdict.is_not(None),
            Experiment.created < row.created,
        )
        .order_by(Experiment.id)
    )
    return tuple(session.scalars(found))


def earlier_claim(
    session: Session, concept: Concept, probe: ProbeInfo, plan: Mapping[str, Any]
) -> int | None:
    """The newest hypothesis that was begun about the same latents, probe, class and expected class.

    What differs, then, is how it is tested.
    """
    dictionary, ids = get_latents(session, concept)
    begun = (
        select(Hypothesis)
        .where(
            Hypothesis.dictionary_id == dictionary.id,
            Hypothesis.probe_id == probe.id,
            Hypothesis.id.in_(select(Experiment.hypothesis_id)),
        )
        .order_by(Hypothesis.id.desc())
    )
    for row in session.scalars(begun):
        latents = session.scalars(
            select(HypothesisLatent.latent_id).where(HypothesisLatent.hypothesis_id == row.id)
        )
        same = all(row.plan.get(key) == plan.get(key) for key in ("class_name", "expect"))
        if same and set(latents) == set(ids):
            return row.id
    return None
