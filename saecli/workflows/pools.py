"""The latents that a search looks through: dictionary by dictionary, what still takes part."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, dictionaries, get_dictionary
from saecli.catalog.finding import pictures_at
from saecli.catalog.label_search import search_labels
from saecli.catalog.labels import PERSON, current_labels
from saecli.catalog.profiles import ProfileInfo, current_profile
from saecli.catalog.statistics import Statistics, read_signature, statistics
from saecli.errors import SaecliError, one_of
from saecli.refs import Concept, parse_latent
from saecli.search.enrichment import Enrichment, class_enrichment
from saecli.search.ranges import Range

Sort = Literal["score", "density", "max", "mean", "index"]
EVERY = 10**9  # more labels than any catalog has
LEVEL = 0.05  # of the adjusted p from which a latent counts as one of a class
LEAST_OF_CLASS = 5  # pictures, of each side


@dataclass(frozen=True)
class Query:
    """What is asked for; all conditions hold at once."""

    words: str = ""
    dictionary: str | None = None
    labelled: bool | None = None
    density: Range | None = None
    maximum: Range | None = None
    mean: Range | None = None
    class_name: str | None = None
    like: Concept | None = None
    by: str = "alike"
    meaning: str | None = None
    image: str | None = None
    patches: tuple[int, ...] | None = None
    sort: Sort | None = None
    top: int = 10
    skip: int = 0


@dataclass(eq=False)
class Pool:
    """A dictionary's latents; arrays are (n_latents,).

    Attributes:
        info: the dictionary.
        profile: its newest one, or None.
        statistics: the profile's, where the query needs them.
        chosen: those that every condition so far lets through.
        scores: what orders them; NaN where nothing does.
        activation: on the picture asked about, or None.
        of_class: figures of the class asked about, or None.
        labels, automatic: people's and labellers' labels that were found, where words were asked
            for.
    """

    info: DictionaryInfo
    profile: ProfileInfo | None
    statistics: Statistics | None
    chosen: NDArray[np.bool_]
    scores: NDArray[np.float64]
    activation: NDArray[np.float64] | None = None
    of_class: Enrichment | None = None
    labels: dict[int, str] = field(default_factory=dict)
    automatic: dict[int, str] = field(default_factory=dict)

    def signatures(self, session: Session) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Positions and maxima of the newest profile.

        Raises:
            SaecliError: if there is no profile, or its signatures are missing or damaged.
        """
        return read_signature(session, self.profiled())

    def profiled(self) -> ProfileInfo:
        """The newest profile.

        Raises:
            SaecliError: if there is none.
        """
        if self.profile is None:
            raise SaecliError(
                f"'{self.info.name}' has no profile, which says what its latents fire on",
                f"run saecli profile {self.info.name} --images SET",
            )
        return self.profile


def open_pools(session: Session, query: Query) -> list[Pool]:
    """The dictionaries that a query is about; untrained ones only where they are named.

    Raises:
        SaecliError: if there is no such dictionary.
    """
    name = query.dictionary or (query.like.dictionary if query.like else None)
    if name is not None:
        infos = [get_dictionary(session, name)]
    else:
        infos = [one for one in dictionaries(session) if not one.untrained or query.words]
    pools = []
    for info in infos:
        profile = current_profile(session, info)
        wanted = profile is not None and needs_statistics(query)
        figures = statistics(session, profile) if profile is not None and wanted else None
        everything = np.ones(info.n_latents, bool)
        unknown = np.full(info.n_latents, np.nan)
        pools.append(Pool(info, profile, figures, everything, unknown))
    return pools


def needs_statistics(query: Query) -> bool:
    """Whether a query reads every latent's figures: a search for words alone is quicker."""
    ranges = (query.density, query.maximum, query.mean)
    unranked = not (query.words or query.class_name or query.like or query.meaning)
    sorts = query.sort in ("density", "max", "mean") or (query.sort is None and unranked)
    return sorts or query.image is not None or any(one is not None for one in ranges)


def with_profiles(pools: list[Pool]) -> list[Pool]:
    """Those that can say what their latents fire on.

    Raises:
        SaecliError: if none of them can.
    """
    found = [pool for pool in pools if pool.profile is not None]
    if pools and not found:
        pools[0].profiled()
    return found


def keep_by_statistics(pools: list[Pool], query: Query) -> None:
    """Let through what lies within the ranges asked for; without a profile nothing does."""
    for pool in pools:
        for asked, name in (
            (query.density, "density"),
            (query.maximum, "maximum"),
            (query.mean, "mean"),
        ):
            if asked is None:
                continue
            if pool.statistics is None:
                pool.chosen[:] = False
            else:
                pool.chosen &= asked.holds(getattr(pool.statistics, name))


def keep_by_labels(session: Session, pools: list[Pool], query: Query) -> None:
    """Let through what has, or lacks, a label; and what has the words, by how well they fit."""
    for pool in pools:
        if query.labelled is not None:
            has = np.zeros(pool.info.n_latents, bool)
            has[list(current_labels(session, pool.info))] = True
            pool.chosen &= has == query.labelled
    if not query.words:
        return
    by_name = {pool.info.name: pool for pool in pools}
    for pool in pools:
        pool.scores[:] = np.nan
    report = search_labels(
        session, query.words, dictionary=query.dictionary, top=EVERY, n_exemplars=0
    )
    for found in report.results:
        concept = parse_latent(found.ref)
        place = by_name.get(concept.dictionary)
        index = concept.latents[0]
        if place is None:
            continue
        if np.isnan(place.scores[index]):  # the best comes first
            place.scores[index] = found.score
        kept = place.labels if found.kind == PERSON else place.automatic
        kept.setdefault(index, found.label or "")
    for pool in pools:
        pool.chosen &= ~np.isnan(pool.scores)


def keep_by_class(session: Session, pools: list[Pool], class_name: str) -> None:
    """Let through what fires more on pictures of a class, by AUROC.

    Raises:
        SaecliError: if no profile is over pictures with classes, or has enough of this one.
    """
    known: set[str] = set()
    counts: list[str] = []
    for pool in pools:
        positions, signatures = pool.signatures(session)
        pictures = pictures_at(session, pool.profiled().image_set, positions)
        known |= {one.label for one in pictures if one.label is not None}
        of_class = np.array([one.label == class_name for one in pictures])
        labelled = np.array([one.label is not None for one in pictures])
        n, rest = int(of_class.sum()), int((labelled & ~of_class).sum())
        if min(n, rest) < LEAST_OF_CLASS:
            counts.append(f"{n} of {len(pictures):,} for '{pool.info.name}'")
            pool.chosen[:] = False
            continue
        found = class_enrichment(signatures[:, labelled], of_class[labelled])
        pool.of_class = found
        pool.scores = found.auroc.copy()
        pool.chosen &= (found.q <= LEVEL) & (found.auroc > 0.5)
    if class_name not in known:
        raise SaecliError(
            f"no profile is over pictures of the class '{class_name}'; they are of "
            f"{one_of(known, class_name)}"
            if known
            else "the profiles are over pictures without classes",
            "name a class of these"
            if known
            else "profile on class folders or a set with labels.csv (saecli profile --images)",
        )
    if len(counts) == len(pools):
        raise SaecliError(
            f"too few pictures of '{class_name}' to tell it from others ({', '.join(counts)})",
            f"profile a set that has at least {LEAST_OF_CLASS} of it in its signatures",
        )


def rank_by_likeness(session: Session, pools: list[Pool], query: Query) -> None:
    """Order by how like a latent they are; the latent itself is left out.

    Raises:
        SaecliError: if the latent isn't there, or another dictionary is asked for.
    """
    like = query.like
    if like is None:
        return
    from saecli.workflows.similar import Relations

    (pool,) = pools
    latent = like.latents[0]
    if pool.info.name != like.dictionary:
        raise SaecliError(
            f"{like} is no latent of '{pool.info.name}'",
            f"find it there with saecli compare --from {like} --to {pool.info.name}",
            usage=True,
        )
    if latent >= pool.info.n_latents:
        raise SaecliError(
            f"there is no latent {like}: '{pool.info.name}' has {pool.info.n_latents:,}",
            f"give one from 0 to {pool.info.n_latents - 1}",
        )
    relations = Relations.of(session, pool.info, pool.profiled(), latent)
    pool.scores = relations.by(query.by).copy()
    pool.chosen &= ~np.isnan(pool.scores)
