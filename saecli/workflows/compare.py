"""Find a latent's concept, or all of a dictionary's, in another dictionary."""

from dataclasses import asdict, replace

import numpy as np
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import (
    DictionaryInfo,
    get_dictionary,
    get_latents,
)
from saecli.catalog.invocations import Invocation
from saecli.catalog.labels import current_labels
from saecli.catalog.latents import exemplars
from saecli.catalog.matches import MUTUAL, add_comparison, add_comparisons
from saecli.catalog.opening import Catalog
from saecli.progress import SILENT, Progress
from saecli.records import (
    CompareReport,
    Counterpart,
    DictionaryComparison,
    MatchRow,
    OneWay,
    SetReport,
)
from saecli.refs import Concept, latent_ref
from saecli.search.dictionaries import Counterparts, find_counterparts
from saecli.search.matching import Comparison, MatchSettings, compare_latent
from saecli.search.mutual import reciprocal_ranks
from saecli.search.sets import SetSettings, find_set
from saecli.workflows.patterns import Shared
from saecli.workflows.untrained import told_twin

EXEMPLARS = 4


def compare(
    catalog: Catalog,
    invocation: Invocation,
    source: Concept,
    target: str,
    settings: MatchSettings,
    *,
    top: int,
    most_of_set: int | None = None,
    progress: Progress = SILENT,
) -> CompareReport:
    """Look for one latent's counterpart, and keep the answer.

    With ``most_of_set`` also for so many latents at most that fire there together.

    Raises:
        SaecliError: if a name is unknown, or they were profiled on different pictures.
    """
    with catalog.reading() as session:
        info, _ = get_latents(session, source)
        other = get_dictionary(session, target)
        shared = Shared.open(session, info, other, progress)
        found = compare_latent(
            shared.source.signatures[source.latents[0]],
            shared.target,
            top=top,
            untrained=shared.untrained,
            maps=shared.maps,
            latent=source.latents[0],
            settings=settings,
        )
        report = _report(session, info, other, source, found, shared)
        if most_of_set is not None:
            grown = _grow_set(shared, other, source.latents[0], settings, most_of_set)
            report = replace(report, set_=grown)
    with catalog.writing() as session:
        add_comparison(
            session,
            invocation.id,
            report,
            image_set=shared.profile.image_set,
            settings=asdict(settings)
            | {"untrained": told_twin(shared.twin, found.untrained_index)}
            | {MUTUAL: [match.reciprocal_rank for match in report.matches]}
            | ({} if report.set_ is None else {"set": asdict(report.set_)}),
        )
    return report


def _grow_set(
    shared: Shared, other: DictionaryInfo, latent: int, settings: MatchSettings, most: int
) -> SetReport | None:
    found = find_set(
        shared.source.signatures[latent],
        shared.target,
        maps=shared.maps,
        latent=latent,
        proposed=settings.proposed,
        settings=SetSettings(most=most, n_resamples=settings.n_resamples, seed=settings.seed),
    )
    if found is None:
        return None
    return SetReport(
        ref=str(Concept(other.name, found.latents)),
        score=found.score,
        ci=list(found.ci),
        single_score=found.single_score,
        gain_ci=None if found.gain_ci is None else list(found.gain_ci),
        n_images=found.n_images,
    )


def _report(
    session: Session,
    info: DictionaryInfo,
    other: DictionaryInfo,
    source: Concept,
    found: Comparison,
    shared: Shared,
) -> CompareReport:
    indices = [match.index for match in found.matches]
    labels = current_labels(session, other, indices)
    shown = exemplars(session, other, indices, top=EXEMPLARS)
    own = current_labels(session, info, source.latents)
    mutual = reciprocal_ranks(
        source.latents[0], np.array(indices, np.int64), shared.source, shared.target, shared.maps
    )
    return CompareReport(
        source={"ref": str(source), "label": own.get(source.latents[0])},
        target=other.name,
        method=shared.method,
        matches=[
            MatchRow(
                ref=latent_ref(other.name, match.index),
                score=match.score,
                ci=list(match.ci),
                p_value=match.p_value,
                label=labels.get(match.index),
                exemplars=shown.get(match.index, []),
                counterpart=match.index == found.counterpart,
                reason=found.reason,
                reciprocal_rank=rank,
            )
            for match, rank in zip(found.matches, mutual, strict=True)
        ],
        counterpart=(
            None if found.counterpart is None else latent_ref(other.name, found.counterpart)
        ),
        reason=found.reason,
        untrained_score=found.untrained_score,
        beyond_untrained=found.beyond_untrained,
        n_images=found.n_images,
        n_active=found.n_active,
        margin=found.margin,
        untrained_ref=(
            None
            if shared.twin is None or found.untrained_index is None
            else latent_ref(shared.twin.name, found.untrained_index)
        ),
    )


def compare_dictionaries(
    catalog: Catalog,
    invocation: Invocation,
    source: str,
    target: str,
    settings: MatchSettings,
    progress: Progress,
) -> DictionaryComparison:
    """Look for every latent's counterpart, both ways, and keep each answer.

    Raises:
        SaecliError: as `compare`.
    """
    with catalog.reading() as session:
        info, other = get_dictionary(session, source), get_dictionary(session, target)
        there = Shared.open(session, info, other, progress)
        back = Shared.open(session, other, info, progress)
        ways = []
        for first, second, shared in ((info, other, there), (other, info, back)):
            found = find_counterparts(
                shared.source,
                shared.target,
                untrained=shared.untrained,
                maps=shared.maps,
                settings=settings,
                progress=progress,
            )
            ways.append((shared, found, _one_way(session, first, second, found, shared)))
    with catalog.writing() as session:
        for shared, found, way in ways:
            add_comparisons(
                session,
                invocation.id,
                way,
                image_set=shared.profile.image_set,
                settings=asdict(settings) | {"untrained": told_twin(shared.twin)},
                n_active=found.n_active.tolist(),
            )
    return DictionaryComparison(
        source=info.name,
        target=other.name,
        method=there.method,
        image_set=there.profile.image_set.name,
        n_images=there.n_images,
        forward=ways[0][2],
        backward=ways[1][2],
    )


def _one_way(
    session: Session,
    info: DictionaryInfo,
    other: DictionaryInfo,
    found: Counterparts,
    shared: Shared,
) -> OneWay:
    indices = range(info.n_latents)
    labels = current_labels(session, info, indices)
    beyond, beside = found.beyond_untrained, found.untrained_score
    return OneWay(
        source=info.name,
        target=other.name,
        n_comparable=found.n_comparable,
        n_found=int(found.found.sum()),
        share=found.share,
        n_beyond_untrained=None if beyond is None else int((beyond & found.found).sum()),
        latents=[
            Counterpart(
                ref=latent_ref(info.name, index),
                label=labels.get(index),
                match=latent_ref(other.name, int(found.best[index])),
                score=float(found.score[index]),
                adjusted_p=float(found.adjusted_p[index]),
                counterpart=found.reason[index] is None,
                reason=found.reason[index],
                untrained_score=None if beside is None else _number(beside[index]),
                beyond_untrained=(
                    None if beyond is None or found.reason[index] else bool(beyond[index])
                ),
            )
            for index in indices
            if found.reason[index] != "too_few_active" and found.best[index] >= 0
        ],
        method=shared.method,
        n_images=shared.n_images,
        untrained=None if shared.twin is None else shared.twin.name,
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
