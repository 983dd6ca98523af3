"""Comparisons: what was found of a latent in another dictionary."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import get_dictionary, get_latents, latent_ids
from saecli.catalog.images import ImageSetInfo
from saecli.catalog.latents import exemplars, summaries
from saecli.catalog.queries import insert_rows
from saecli.catalog.tables import Comparison, Dictionary, Latent, Match
from saecli.records import CompareReport, MatchRow, OneWay
from saecli.refs import Concept, latent_ref, parse_latent

MUTUAL = "reciprocal_ranks"  # of a comparison's settings: one of each match
WHOLE = "whole"  # of a comparison's settings: one of all latents of a dictionary


def add_comparison(
    session: Session,
    invocation: int,
    report: CompareReport,
    *,
    image_set: ImageSetInfo,
    settings: Mapping[str, Any],
) -> int:
    """Keep the answer to a comparison of one latent; returns its number.

    Raises:
        SaecliError: if it names a latent that the catalog doesn't have.
    """
    source = parse_latent(str(report.source["ref"]))
    _, (latent_id,) = get_latents(session, source)
    target = get_dictionary(session, report.target)
    found = [parse_latent(match.ref).latents[0] for match in report.matches]
    ids = latent_ids(session, target, found)
    counterpart = None
    if report.counterpart is not None:
        _, (counterpart,) = get_latents(session, parse_latent(report.counterpart))
    row = Comparison(
        uuid=str(uuid.uuid4()),
        latent_id=latent_id,
        target_id=target.id,
        image_set_id=image_set.id,
        method=report.method,
        settings=dict(settings),
        counterpart_id=counterpart,
        reason=report.reason,
        untrained_score=report.untrained_score,
        beyond_untrained=report.beyond_untrained,
        n_images=report.n_images,
        n_active=report.n_active,
        invocation_id=invocation,
    )
    session.add(row)
    session.flush()
    insert_rows(
        session,
        Match,
        [
            {
                "comparison_id": row.id,
                "rank": rank,
                "latent_id": found_id,
                "score": match.score,
                "ci_low": match.ci[0] if match.ci else None,
                "ci_high": match.ci[1] if match.ci else None,
                "p_value": match.p_value,
            }
            for rank, (found_id, match) in enumerate(zip(ids, report.matches, strict=True))
        ],
    )
    return row.id


def add_comparisons(
    session: Session,
    invocation: int,
    way: OneWay,
    *,
    image_set: ImageSetInfo,
    settings: Mapping[str, Any],
    n_active: Sequence[int],
) -> int:
    """Keep the answer to a comparison of a whole dictionary, latent by latent; how many they are.

    The settings say ``whole``: then each has one match, with the p adjusted for all latents.

    Args:
        session: in a writing transaction.
        invocation: the command's number.
        way: what was found.
        image_set: over whose pictures.
        settings: of the rule.
        n_active: of every latent of the first dictionary, on how many pictures it fires.

    Raises:
        SaecliError: if it names a dictionary or a latent that the catalog doesn't have.
    """
    source, target = (get_dictionary(session, name) for name in (way.source, way.target))
    indices = [parse_latent(row.ref).latents[0] for row in way.latents]
    own = latent_ids(session, source, indices)
    theirs = latent_ids(
        session, target, [parse_latent(row.match).latents[0] for row in way.latents]
    )
    rows = [
        Comparison(
            uuid=str(uuid.uuid4()),
            latent_id=latent_id,
            target_id=target.id,
            image_set_id=image_set.id,
            method=way.method or "",
            settings=dict(settings) | {WHOLE: True},
            counterpart_id=match_id if row.counterpart else None,
            reason=row.reason,
            untrained_score=row.untrained_score,
            beyond_untrained=row.beyond_untrained,
            n_images=way.n_images or 0,
            n_active=int(n_active[index]),
            invocation_id=invocation,
        )
        for row, index, latent_id, match_id in zip(way.latents, indices, own, theirs, strict=True)
    ]
    session.add_all(rows)
    session.flush()
    insert_rows(
        session,
        Match,
        [
            {
                "comparison_id": comparison.id,
                "rank": 0,
                "latent_id": match_id,
                "score": row.score,
                "ci_low": None,
                "ci_high": None,
                "p_value": row.adjusted_p,
            }
            for comparison, row, match_id in zip(rows, way.latents, theirs, strict=True)
        ],
    )
    return len(rows)


def latest_matches(
    session: Session, concept: Concept, *, top: int = 5, n_exemplars: int = 4
) -> list[MatchRow]:
    """The best matches of a latent, from its newest comparison with each dictionary.

    Each says whether the comparison calls it the counterpart, and why there is none. Comparisons
    of whole dictionaries, which keep one match without an interval, count where there is no other.

    Raises:
        SaecliError: if there is no such latent.
    """
    _, ids = get_latents(session, concept)
    newest: dict[int, tuple[bool, int]] = {}
    for number, target_id, settings in session.execute(
        select(Comparison.id, Comparison.target_id, Comparison.settings)
        .where(Comparison.latent_id.in_(ids))
        .order_by(Comparison.id)
    ):
        found = (not settings.get(WHOLE), number)
        newest[target_id] = max(found, newest.get(target_id, found))
    rows = session.execute(
        select(Match, Comparison, Latent.number, Dictionary.name)
        .join(Comparison, Match.comparison_id == Comparison.id)
        .join(Latent, Match.latent_id == Latent.id)
        .join(Dictionary, Latent.dictionary_id == Dictionary.id)
        .where(Match.comparison_id.in_([number for _, number in newest.values()]), Match.rank < top)
        .order_by(Match.comparison_id, Match.rank)
    ).all()
    by_dictionary: dict[str, list[int]] = {}
    for _, _, number, name in rows:
        by_dictionary.setdefault(name, []).append(number)
    targets = {name: get_dictionary(session, name) for name in by_dictionary}
    known = {n: summaries(session, targets[n], found) for n, found in by_dictionary.items()}
    shown = {
        name: exemplars(session, targets[name], found, top=n_exemplars)
        for name, found in by_dictionary.items()
    }
    return [
        MatchRow(
            ref=latent_ref(name, number),
            score=match.score,
            ci=_interval(match.ci_low, match.ci_high),
            p_value=match.p_value,
            label=known[name][number].label,
            exemplars=shown[name].get(number, []),
            counterpart=comparison.counterpart_id == match.latent_id,
            reason=comparison.reason,
            reciprocal_rank=_of_rank(comparison.settings.get(MUTUAL), match.rank),
        )
        for match, comparison, number, name in rows
    ]


def _of_rank(values: list[float | None] | None, rank: int) -> float | None:
    return values[rank] if values and rank < len(values) else None


def _interval(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]
