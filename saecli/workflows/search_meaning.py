"""Latents by meaning: CLIP reads the words, and tells which pictures are like them.

A latent's score is the correlation, over the pictures of its signature, between how strongly it
fires there and how like the words CLIP finds them; so it serves dictionaries of any backbone. On
the built-in world (14 concepts, image-level AUROC of the five latents listed first, as a share of
what the best five reach over chance) it reached 0.89 for `clip` and 0.68 for `dinov2`, and the
cosine of the words with the mean embedding of a latent's 16 exemplars 0.56 and 0.47
(`python -m tests.benchmarks.meaning`): exemplars show what a latent fires on, and not what it
leaves out.
"""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from saecli.catalog.backbones import BackboneInfo
from saecli.catalog.finding import clip_backbones, pictures_at
from saecli.catalog.images import thumbnails
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.search.neighbours import correlations
from saecli.workflows.clip_reading import embed_pictures, text_embedding
from saecli.workflows.models import load_backbone, reference_of
from saecli.workflows.pools import Pool

LEAST = 20  # pictures


def rank_by_meaning(
    catalog: Catalog,
    pools: Sequence[Pool],
    words: str,
    *,
    clip: str | None,
    device: str,
    progress: Progress,
) -> None:
    """Order latents by what they have to do with some words.

    Raises:
        SaecliError: if the words are blank, the catalog has no CLIP and none is named, or too few
            pictures can still be seen.
    """
    if not words.strip():
        raise SaecliError("the meaning is blank", "say it in words", usage=True)
    with catalog.reading() as session:
        name = clip or reference_of(_first_clip(session, catalog))
    backbone = load_backbone(name, progress, device=device)
    text = text_embedding(backbone, words)
    for pool in pools:
        with catalog.reading() as session:
            positions, signatures = pool.signatures(session)
            pictures = pictures_at(session, pool.profiled().image_set, positions)
            small = thumbnails(session, [one.image_id for one in pictures])
        there = [i for i, one in enumerate(pictures) if one.image_id in small]
        if len(there) < LEAST:
            raise SaecliError(
                f"the catalog keeps thumbnails of {len(there)} of the {len(pictures):,} pictures "
                f"that '{pool.info.name}' was profiled on, and {LEAST} are needed",
                f"profile it again: saecli profile {pool.info.name} --images "
                f"{pool.profiled().image_set.name}",
            )
        chosen = [pictures[i] for i in there]
        embeddings = embed_pictures(backbone, chosen, small, progress)
        pool.scores = correlations(embeddings @ text, signatures[:, there])
        pool.chosen &= ~np.isnan(pool.scores)


def _first_clip(session: Session, catalog: Catalog) -> BackboneInfo:
    found = clip_backbones(session)
    if not found:
        raise SaecliError(
            f"{catalog.name} has no CLIP, which is what reads words",
            "name one with --clip, as in --clip clip:ViT-B-16/openai or fieldguide-clip",
        )
    return found[0]
