"""What labels rest on: records of the catalog, kept by UUID so that another catalog knows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.tables import Comparison, Experiment, Observation, Selection
from saecli.errors import SaecliError, one_of
from saecli.refs import parse_record

_TABLES: dict[str, type[Experiment | Observation | Selection | Comparison]] = {
    "experiment": Experiment,
    "observation": Observation,
    "selection": Selection,
    "comparison": Comparison,
}


def check_evidence(records: Sequence[str]) -> None:
    """Return if every text has the form of a record that a label can rest on.

    Raises:
        SaecliError: if one doesn't.
    """
    for text in records:
        kind, _, _ = text.partition(":")
        if kind not in _TABLES:
            raise SaecliError(
                f"'{text}' names no evidence",
                f"write {one_of(_TABLES)} and its number, as in experiment:12",
                usage=True,
            )
        parse_record(text, kind)


def evidence_of(session: Session, records: Sequence[str]) -> dict[str, Any] | None:
    """The UUIDs of `experiment:12`, `observation:3`, … by kind; None if there are none.

    Raises:
        SaecliError: if a text names no such record, or the catalog doesn't have it.
    """
    check_evidence(records)
    found: dict[str, Any] = {}
    for text in records:
        kind, _, _ = text.partition(":")
        table, number = _TABLES[kind], parse_record(text, kind)
        known = session.scalar(select(table.uuid).where(table.id == number))
        if known is None:
            raise SaecliError(f"there is no {kind}:{number}", "name one that the catalog has")
        found.setdefault(kind, []).append(known)
    return found or None


def rests_on(session: Session, evidence: Mapping[str, Any] | None) -> list[str]:
    """Evidence by this catalog's numbers; what it doesn't have by the UUID."""
    names = []
    for kind, known in (evidence or {}).items():
        table = _TABLES.get(kind)
        if table is None or not isinstance(known, list):
            continue
        for uuid in known:
            number = session.scalar(select(table.id).where(table.uuid == str(uuid)))
            names.append(f"{kind}:{number}" if number else f"{kind} {uuid} of another catalog")
    return names
