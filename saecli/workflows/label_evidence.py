"""What a label is made from and scored on: a signature's pictures, and how CLIP sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.finding import clip_backbones, pictures_at
from saecli.catalog.images import thumbnails
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import get_profile
from saecli.catalog.statistics import read_signature
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.workflows.clip_reading import embed_pictures, text_embedding
from saecli.workflows.models import load_backbone, reference_of

if TYPE_CHECKING:
    from saecli.backbones.protocol import Backbone

LEAST = 40  # pictures, half of which choose labels and half of which score them


@dataclass(frozen=True)
class SeenPictures:
    """The pictures of a dictionary's signatures, as CLIP sees them.

    Attributes:
        image_set: their name; ``digest`` tells which they are.
        signatures: (S, M) every latent's largest activation on each.
        embeddings: (M, E) of unit length.
        image_ids: (M,).
        choosing: (M,) bool: the half that automatic labels are chosen on, by the pictures' hashes;
            the other half scores them.
    """

    image_set: str
    digest: str
    signatures: NDArray[np.float16]
    embeddings: NDArray[np.float32]
    image_ids: NDArray[np.int64]
    choosing: NDArray[np.bool_]


def open_clip_reader(
    catalog: Catalog, clip: str | None, device: str, progress: Progress
) -> "Backbone":
    """The CLIP that reads words: the one named, else the catalog's only one.

    Raises:
        SaecliError: if none is named and the catalog has none, or several.
    """
    if clip is None:
        with catalog.reading() as session:
            names = [reference_of(row) for row in clip_backbones(session)]
        if len(names) != 1:
            raise SaecliError(
                f"{catalog.name} has {len(names)} CLIP backbones, and one must read the words",
                "name one with --clip, as in --clip clip:ViT-B-16/openai or fieldguide-clip",
                usage=True,
            )
        (clip,) = names
    backbone = load_backbone(clip, progress, device=device)
    if backbone.family != "clip":
        raise SaecliError(
            f"'{clip}' reads no words", "name a CLIP, as in --clip fieldguide-clip", usage=True
        )
    return backbone


def see_pictures(
    catalog: Catalog, info: DictionaryInfo, backbone: "Backbone", progress: Progress
) -> SeenPictures:
    """Embed the pictures of a dictionary's newest profile's signatures, by their thumbnails.

    Raises:
        SaecliError: if it has no profile, or the catalog keeps too few thumbnails.
    """
    with catalog.reading() as session:
        profile = get_profile(session, info)
        positions, signatures = read_signature(session, profile)
        pictures = pictures_at(session, profile.image_set, positions)
        small = thumbnails(session, [one.image_id for one in pictures])
    there = [i for i, one in enumerate(pictures) if one.image_id in small]
    if len(there) < LEAST:
        raise SaecliError(
            f"the catalog keeps thumbnails of {len(there)} of the {len(pictures):,} pictures that "
            f"'{info.name}' was profiled on, and {LEAST} are needed",
            f"profile it again: saecli profile {info.name} --images {profile.image_set.name}",
        )
    chosen = [pictures[i] for i in there]
    return SeenPictures(
        image_set=profile.image_set.name,
        digest=profile.image_set.digest,
        signatures=signatures[:, there],
        embeddings=embed_pictures(backbone, chosen, small, progress),
        image_ids=np.array([one.image_id for one in chosen], np.int64),
        choosing=np.array([int(one.sha256[-1], 16) % 2 == 0 for one in chosen]),
    )


def embed_labels(backbone: "Backbone", texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, E), of unit length."""
    return np.stack([text_embedding(backbone, text) for text in texts])
