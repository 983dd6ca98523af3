"""Scoring labels: does a judge who reads a label know on which pictures its latent fires?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo, get_dictionary, get_latents
from saecli.catalog.invocations import Invocation
from saecli.catalog.label_scores import StandingInfo, add_scores, standing_labels
from saecli.catalog.labels import LABELLER
from saecli.catalog.latents import exemplars
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records import LabelScoreRow, LabelScoresReport
from saecli.refs import Concept, latent_ref
from saecli.search.held_out import (
    HeldOut,
    HeldOutSettings,
    Signatures,
    auroc,
    auroc_interval,
    hold_out,
)
from saecli.workflows.label_evidence import (
    SeenPictures,
    embed_labels,
    open_clip_reader,
    see_pictures,
)

JUDGE = "clip-similarity 1"  # and its version: other figures, another version


def score_labels(
    catalog: Catalog,
    invocation: Invocation,
    concepts: Sequence[Concept],
    dictionary: str | None,
    *,
    clip: str | None,
    settings: HeldOutSettings,
    device: str,
    progress: Progress,
) -> LabelScoresReport:
    """Score every label that holds for some latents, or for all of a dictionary.

    The judge is CLIP: of each held-out picture it says how like the label's words it is. Pictures
    on which the latent fires most (its exemplars: what a label is made from) take no part, nor, for
    an automatic label, those that chose it. The profile's near misses are among the others.

    Raises:
        SaecliError: if there is no such latent, profile or CLIP, no label holds, or too few
            pictures can be seen.
    """
    wanted = _wanted(catalog, concepts, dictionary)
    backbone = open_clip_reader(catalog, clip, device, progress)
    rows: list[LabelScoreRow] = []
    kept: dict[int, dict[str, Any]] = {}
    for info, labels in wanted:
        seen = see_pictures(catalog, info, backbone, progress)
        signatures = Signatures(seen.signatures)
        texts = list(dict.fromkeys(label.text for label in labels))
        known = dict(zip(texts, embed_labels(backbone, texts), strict=True))
        with catalog.reading() as session:
            indices = {label.index for label in labels}
            top = exemplars(session, info, indices)
            near = exemplars(session, info, indices, kind="near_miss")
        with progress.task("labels scored", len(labels), "labels") as task:
            for label in labels:
                shown = [one.image.id or 0 for one in top.get(label.index, [])]
                allowed = ~np.isin(seen.image_ids, shown)
                if label.kind == LABELLER:
                    allowed &= ~seen.choosing
                missed = [one.image.id or 0 for one in near.get(label.index, [])]
                chosen = hold_out(
                    signatures,
                    label.index,
                    allowed,
                    settings,
                    near=np.isin(seen.image_ids, missed),
                )
                row = _scored(info, label, chosen, seen, known[label.text], settings)
                rows.append(row)
                if row.auroc is not None:
                    kept[label.id] = _figures(row, seen, backbone.digest)
                task.advance(1)
    judge = JUDGE
    with catalog.writing() as session:
        add_scores(session, invocation.id, judge, kept)
    return LabelScoresReport(judge=judge, clip=backbone.name, n_scored=len(kept), scores=rows)


def _wanted(
    catalog: Catalog, concepts: Sequence[Concept], dictionary: str | None
) -> list[tuple[DictionaryInfo, list[StandingInfo]]]:
    found = []
    with catalog.reading() as session:
        if dictionary is not None:
            info = get_dictionary(session, dictionary)
            found.append((info, standing_labels(session, info)))
        for concept in concepts:
            info, _ = get_latents(session, concept)
            found.append((info, standing_labels(session, info, concept.latents)))
    found = [(info, labels) for info, labels in found if labels]
    if not found:
        raise SaecliError(
            "no label holds for what is to be scored", "give one with saecli label or labels auto"
        )
    return found


def _scored(
    info: DictionaryInfo,
    label: StandingInfo,
    chosen: HeldOut,
    seen: SeenPictures,
    words: NDArray[np.float32],
    settings: HeldOutSettings,
) -> LabelScoreRow:
    likeness = (seen.embeddings @ words).astype(np.float64)
    fires, silent = likeness[chosen.positive], likeness[chosen.negative]
    reason = None
    if len(fires) < settings.least:
        reason = "too_few_active"
    elif len(silent) < settings.least:
        reason = "too_few_silent"
    value = None if reason else auroc(fires, silent)
    return LabelScoreRow(
        ref=latent_ref(info.name, label.index),
        label=label.text,
        author=label.author,
        kind=label.kind,
        auroc=value,
        ci=None if value is None else list(auroc_interval(value, len(fires), len(silent))),
        random=None if reason else auroc(fires, likeness[chosen.silent]),
        near_miss=None if reason else auroc(fires, likeness[chosen.near_miss]),
        n_positive=len(fires),
        n_negative=len(silent),
        reason=reason,
    )


def _figures(row: LabelScoreRow, seen: SeenPictures, clip: str) -> dict[str, Any]:
    return {
        "auroc": row.auroc,
        "ci": row.ci,
        "random": row.random,
        "near_miss": row.near_miss,
        "n_positive": row.n_positive,
        "n_negative": row.n_negative,
        "image_set": seen.digest,
        "clip": clip,
    }
