"""Searching latents: by words, figures, a class, another latent, a meaning, a picture; combined."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from saecli.catalog.invocations import Invocation
from saecli.catalog.latents import exemplars, summaries
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records.finding import ClassFigures, FoundLatent, FoundReport
from saecli.refs import latent_ref
from saecli.workflows.pools import (
    Pool,
    Query,
    Sort,
    keep_by_class,
    keep_by_labels,
    keep_by_statistics,
    open_pools,
    rank_by_likeness,
    with_profiles,
)

EXEMPLARS = 4
SCORES = {
    "image": "the share of the profiled pictures on which it fires less strongly than here",
    "meaning": "r of its activations with the pictures' likeness to the words, by CLIP",
    "alike": "r of the largest activations on each picture",
    "together": "of the places where either fires, the share where both do",
    "decoder": "cosine of the directions they write",
    "words": "how well the label fits the words (bm25)",
    "class": "AUROC of pictures of the class against others",
}


def search(
    catalog: Catalog,
    query: Query,
    *,
    progress: Progress,
    invocation: Invocation | None = None,
    clip: str | None = None,
    device: str = "auto",
) -> FoundReport:
    """Find latents.

    What is asked for narrows: a latent has to meet every condition. The order is by what ranks:
    the picture, else the meaning, the other latent, the words, the class; else by density.

    Args:
        catalog: to read; to write where a picture is asked about.
        query: what is asked for.
        progress: where slow steps announce themselves.
        invocation: the command's, where a picture is asked about: that is an observation, kept.
        clip: the backbone that reads a meaning; the catalog's first CLIP where None.
        device: where models run.

    Raises:
        SaecliError: if nothing is asked for, a name is unknown, or what is asked for needs a
            profile, a class, a CLIP or a picture that isn't there.
    """
    check(query)
    with catalog.reading() as session:
        pools = open_pools(session, query)
        if query.class_name is not None or query.meaning is not None or query.image is not None:
            pools = with_profiles(pools)
        keep_by_statistics(pools, query)
        if query.class_name is not None:
            keep_by_class(session, pools, query.class_name)
        keep_by_labels(session, pools, query)
        rank_by_likeness(session, pools, query)
    if query.meaning is not None:
        from saecli.workflows.search_meaning import rank_by_meaning

        rank_by_meaning(catalog, pools, query.meaning, clip=clip, device=device, progress=progress)
    seen = None
    if query.image is not None:
        from saecli.workflows.search_picture import rank_by_picture

        seen = rank_by_picture(catalog, pools, query, device=device, progress=progress)
    sort = query.sort or ("score" if _ranks(query) else "density")
    page, n_found = _page(pools, sort, query)
    observations: list[int] = []
    if seen is not None and invocation is not None:
        observations = seen.keep(catalog, invocation, page)
    with catalog.reading() as session:
        results = _results(session, pools, page, sort)
    return FoundReport(
        query=_told(query),
        results=results,
        n_found=n_found,
        skip=query.skip,
        sort=sort,
        score_of=SCORES[_ranks(query)] if sort == "score" else "",
        observations=observations,
    )


def check(query: Query) -> None:
    """Return if a query makes sense by itself: before anything is opened.

    Raises:
        SaecliError: if nothing is asked for, or options contradict one another.
    """
    asked = (
        query.labelled, query.density, query.maximum, query.mean, query.class_name, query.like,
        query.meaning, query.image, query.sort, query.dictionary,
    )  # fmt: skip
    if not query.words and all(one is None for one in asked):
        raise SaecliError(
            "nothing is asked for", "give words, or an option such as --density", usage=True
        )
    if query.sort == "score" and not _ranks(query):
        raise SaecliError(
            "there is no score without something that ranks",
            "sort by density, max, mean or index",
            usage=True,
        )
    if query.patches is not None and query.image is None:
        raise SaecliError("--patches are those of a picture", "name it with --image", usage=True)


def _ranks(query: Query) -> str:
    """What the scores are of: a key of `SCORES`, or empty."""
    if query.image is not None:
        return "image"
    if query.meaning is not None:
        return "meaning"
    if query.like is not None:
        return query.by
    if query.words:
        return "words"
    return "class" if query.class_name is not None else ""


def _page(pools: Sequence[Pool], sort: Sort, query: Query) -> tuple[list[tuple[int, int]], int]:
    """(pool, index) of the page's latents in order, and how many there are in all."""
    places = [np.flatnonzero(pool.chosen) for pool in pools]
    if not places:
        return [], 0
    which = np.repeat(np.arange(len(pools)), [len(one) for one in places])
    index = np.concatenate(places)
    keys = [_key(pool, sort)[place] for pool, place in zip(pools, places, strict=True)]
    key = np.concatenate(keys)
    strength = np.concatenate(
        [_strength(pool)[place] for pool, place in zip(pools, places, strict=True)]
    )
    # Largest first, what is no number last; then the stronger, the earlier dictionary and index.
    order = np.lexsort((index, which, -strength, np.nan_to_num(-key, nan=np.inf)))
    chosen = order[query.skip : query.skip + query.top]
    return list(zip(which[chosen].tolist(), index[chosen].tolist(), strict=True)), len(order)


def _key(pool: Pool, sort: Sort) -> NDArray[np.float64]:
    if sort == "score":
        return pool.scores
    if sort == "index":
        return -np.arange(pool.info.n_latents, dtype=np.float64)
    if pool.statistics is None:
        return np.full(pool.info.n_latents, np.nan)
    found = {"density": "density", "max": "maximum", "mean": "mean"}[sort]
    values: NDArray[np.float64] = getattr(pool.statistics, found)
    return values


def _strength(pool: Pool) -> NDArray[np.float64]:
    """Activation on the picture as a share of the latent's largest: settles equal scores."""
    if pool.activation is None or pool.statistics is None:
        return np.zeros(pool.info.n_latents)
    strength: NDArray[np.float64] = pool.activation / np.maximum(pool.statistics.maximum, 1e-12)
    return strength


def _results(
    session: Session, pools: Sequence[Pool], page: Sequence[tuple[int, int]], sort: Sort
) -> list[FoundLatent]:
    known, shown = {}, {}
    for number, pool in enumerate(pools):
        indices = [index for which, index in page if which == number]
        if indices:
            known[number] = summaries(session, pool.info, indices)
            shown[number] = exemplars(session, pool.info, indices, top=EXEMPLARS)
    results = []
    for number, index in page:
        pool, summary = pools[number], known[number][index]
        seen = None if pool.activation is None else float(pool.activation[index])
        results.append(
            FoundLatent(
                ref=latent_ref(pool.info.name, index),
                label=pool.labels.get(index, summary.label),
                score=float(_key(pool, sort)[index] if sort != "index" else index),
                exemplars=shown[number].get(index, []),
                density=summary.density,
                mean_activation=summary.mean_activation,
                max_activation=summary.max_activation,
                activation=seen,
                of_class=_class_figures(pool, index),
                automatic_label=pool.automatic.get(index),
            )
        )
    return results


def _class_figures(pool: Pool, index: int) -> ClassFigures | None:
    found = pool.of_class
    if found is None:
        return None
    return ClassFigures(
        auroc=float(found.auroc[index]),
        ci=[float(found.low[index]), float(found.high[index])],
        q=float(found.q[index]),
        share_with=float(found.with_class[index]),
        share_without=float(found.without[index]),
    )


def _told(query: Query) -> str:
    """All conditions in one line; words alone stand as they are."""
    parts = [query.words] if query.words else []
    told: list[tuple[str, object]] = [
        ("meaning", query.meaning),
        ("image", query.image),
        ("patches", query.patches and ",".join(map(str, query.patches))),
        ("like", query.like),
        ("class", query.class_name),
        ("density", query.density),
        ("max", query.maximum),
        ("mean", query.mean),
        ("dictionary", query.dictionary if parts or not query.words else None),
    ]
    parts += [f"{name} {value}" for name, value in told if value is not None]
    if query.labelled is not None:
        parts.append("labelled" if query.labelled else "unlabelled")
    return " · ".join(parts)
