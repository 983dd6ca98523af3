"""Find a latent's concept, or all of a dictionary's, in another dictionary."""

from dataclasses import asdict, dataclass
from functools import reduce

import numpy as np
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import (
    DictionaryInfo,
    get_dictionary,
    get_latents,
    untrained_twin,
)
from saecli.catalog.invocations import Invocation
from saecli.catalog.labels import current_labels
from saecli.catalog.latents import exemplars
from saecli.catalog.matches import add_comparison
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import (
    ProfileInfo,
    profile_over,
    shared_profiles,
)
from saecli.catalog.statistics import read_patterns
from saecli.errors import SaecliError
from saecli.grid import CoarseMaps
from saecli.progress import Progress
from saecli.records import (
    CompareReport,
    Counterpart,
    DictionaryComparison,
    MatchRow,
    OneWay,
)
from saecli.refs import Concept, latent_ref
from saecli.search.coarse import CoarseIndex
from saecli.search.dictionaries import Counterparts, find_counterparts
from saecli.search.evidence import Maps
from saecli.search.index import SignatureIndex
from saecli.search.matching import Comparison, MatchSettings, compare_latent

BY_MAXIMA, BY_MAPS = "pearson_of_image_maxima", "pearson_of_patch_maps"
EXEMPLARS = 4


def compare(
    catalog: Catalog,
    invocation: Invocation,
    source: Concept,
    target: str,
    settings: MatchSettings,
    *,
    top: int,
) -> CompareReport:
    """Look for one latent's counterpart, and keep the answer.

    Raises:
        SaecliError: if a name is unknown, both are one dictionary, or they were profiled on
            different pictures.
    """
    with catalog.reading() as session:
        info, _ = get_latents(session, source)
        other = get_dictionary(session, target)
        _check_different(info, other)
        shared = Shared.open(session, info, other)
        found = compare_latent(
            shared.source.signatures[source.latents[0]],
            shared.target,
            top=top,
            untrained=shared.untrained,
            maps=shared.maps,
            latent=source.latents[0],
            settings=settings,
        )
        report = _report(session, info, other, source, found, shared.method)
    with catalog.writing() as session:
        add_comparison(
            session,
            invocation.id,
            report,
            image_set=shared.profile.image_set,
            settings=asdict(settings),
        )
    return report


@dataclass(frozen=True, eq=False)
class Shared:
    """Patterns of two dictionaries, and of the second's untrained twin, over one image set.

    Attributes:
        profile: the source's, for the image set.
        source, target, untrained: signatures; the twin's are None where it has none.
        maps: coarse maps, where all of these have them.
    """

    profile: ProfileInfo
    source: SignatureIndex
    target: SignatureIndex
    untrained: SignatureIndex | None
    maps: Maps | None

    @property
    def method(self) -> str:
        """What r is of."""
        return BY_MAXIMA if self.maps is None else BY_MAPS

    @classmethod
    def open(cls, session: Session, info: DictionaryInfo, other: DictionaryInfo) -> "Shared":
        """Read them.

        Raises:
            SaecliError: if the signatures are over different pictures.
        """
        mine, theirs = shared_profiles(session, info, other)
        positions, signature, coarse = read_patterns(session, mine)
        other_positions, other_signature, other_coarse = read_patterns(session, theirs)
        if not np.array_equal(positions, other_positions):
            raise SaecliError(
                f"the signatures of '{info.name}' and '{other.name}' are over different pictures "
                f"of {mine.image_set.name}",
                f"profile both again with one --seed: saecli profile {other.name} --images "
                f"{mine.image_set.name}",
            )
        twin = untrained_twin(session, other)
        beside = profile_over(session, twin, mine.image_set) if twin else None
        untrained, twin_coarse = None, None
        if beside is not None:
            twin_positions, twin_signature, twin_coarse = read_patterns(session, beside)
            if np.array_equal(twin_positions, positions):
                untrained = SignatureIndex(twin_signature)
        parts = [coarse, other_coarse, *([twin_coarse] if untrained is not None else [])]
        return cls(
            profile=mine,
            source=SignatureIndex(signature),
            target=SignatureIndex(other_signature),
            untrained=untrained,
            maps=_over_one_set(parts),
        )


def _over_one_set(parts: list[CoarseMaps | None]) -> Maps | None:
    """Coarse maps over the images that all have; None if one has none, or another grid."""
    there = [part for part in parts if part is not None]
    if len(there) < len(parts) or len({part.n_cells for part in there}) > 1:
        return None
    images = reduce(np.intersect1d, [part.images for part in there])
    return Maps(*(CoarseIndex(part).on(images) for part in there))


def _check_different(info: DictionaryInfo, other: DictionaryInfo) -> None:
    if info.id == other.id:
        raise SaecliError(
            f"--to names the dictionary '{info.name}' that --from is of",
            "name another one (saecli list)",
            usage=True,
        )


def _report(
    session: Session,
    info: DictionaryInfo,
    other: DictionaryInfo,
    source: Concept,
    found: Comparison,
    method: str,
) -> CompareReport:
    indices = [match.index for match in found.matches]
    labels = current_labels(session, other, indices)
    shown = exemplars(session, other, indices, top=EXEMPLARS)
    own = current_labels(session, info, source.latents)
    return CompareReport(
        source={"ref": str(source), "label": own.get(source.latents[0])},
        target=other.name,
        method=method,
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
            )
            for match in found.matches
        ],
        counterpart=(
            None if found.counterpart is None else latent_ref(other.name, found.counterpart)
        ),
        reason=found.reason,
        untrained_score=found.untrained_score,
        beyond_untrained=found.beyond_untrained,
        n_images=found.n_images,
        n_active=found.n_active,
    )


def compare_dictionaries(
    catalog: Catalog, source: str, target: str, settings: MatchSettings, progress: Progress
) -> DictionaryComparison:
    """Look for every latent's counterpart, both ways.

    Raises:
        SaecliError: as `compare`.
    """
    with catalog.reading() as session:
        info, other = get_dictionary(session, source), get_dictionary(session, target)
        _check_different(info, other)
        there = Shared.open(session, info, other)
        back = Shared.open(session, other, info)
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
            ways.append(_one_way(session, first, second, found))
    return DictionaryComparison(
        source=info.name,
        target=other.name,
        method=there.method,
        image_set=there.profile.image_set.name,
        n_images=there.source.n_images if there.maps is None else there.maps.source.n_images,
        forward=ways[0],
        backward=ways[1],
    )


def _one_way(
    session: Session, info: DictionaryInfo, other: DictionaryInfo, found: Counterparts
) -> OneWay:
    indices = range(info.n_latents)
    labels = current_labels(session, info, indices)
    beyond = found.beyond_untrained
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
            )
            for index in indices
            if found.reason[index] != "too_few_active" and found.best[index] >= 0
        ],
    )
