"""A latent's further figures: what a profile says beyond counts and sums, and only newer ones say.

They stand as JSON behind the histogram's counts, in the same compressed bytes: no column of their
own, so that catalogs of older schemas hold them and older profiles simply lack them.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.labels import current_labels
from saecli.catalog.profiles import current_profile
from saecli.catalog.tables import LatentProfile, Profile
from saecli.records import ClassEffect, TogetherLatent
from saecli.refs import latent_ref

_COUNT = 8  # bytes of a count: int64, little-endian
_EDGE = 8  # of an edge: float64


@dataclass(frozen=True)
class LatentFigures:
    """What a profile says of a latent beyond its statistics; None where it doesn't say.

    Attributes:
        edges: (bins + 1), SAE units.
        counts: (bins), active patches by activation.
        monosemanticity: Pach et al. 2025's score; None too where too few pictures tell.
        together: latents that fire on the same patches, best first.
        n_together: pictures on which that was counted.
        enriched: classes on whose pictures it fires more often; None where none were known.
    """

    edges: list[float]
    counts: list[int]
    monosemanticity: float | None = None
    together: list[TogetherLatent] | None = None
    n_together: int | None = None
    enriched: list[ClassEffect] | None = None


def pack_figures(counts: bytes, figures: Mapping[str, Any] | None) -> bytes:
    """Counts (int64, little-endian) and, behind them, figures as JSON; compressed."""
    told = b"" if figures is None else json.dumps(figures, allow_nan=False).encode()
    return zlib.compress(counts + told)


def unpack_figures(data: bytes, n_bins: int) -> tuple[list[int], dict[str, Any]]:
    """The counts and the figures again; no figures where a profile has none."""
    raw = zlib.decompress(data)
    counts = [count for (count,) in struct.iter_unpack("<q", raw[: _COUNT * n_bins])]
    told = raw[_COUNT * n_bins :]
    return counts, json.loads(told) if told else {}


def latent_figures(
    session: Session, dictionary: DictionaryInfo, index: int
) -> LatentFigures | None:
    """A latent's figures in its dictionary's newest profile; None without a profile."""
    profile = current_profile(session, dictionary)
    if profile is None:
        return None
    edges, packed = session.execute(
        select(Profile.histogram_edges, LatentProfile.histogram)
        .join(LatentProfile, LatentProfile.profile_id == Profile.id)
        .where(Profile.id == profile.id, LatentProfile.number == index)
    ).one()
    counts, told = unpack_figures(packed, len(edges) // _EDGE - 1)
    together = told.get("together")
    enriched = told.get("enriched")
    labels = current_labels(session, dictionary, [other for other, _ in together or []])
    return LatentFigures(
        edges=[edge for (edge,) in struct.iter_unpack("<d", edges)],
        counts=counts,
        monosemanticity=told.get("monosemanticity"),
        together=None
        if together is None
        else [
            TogetherLatent(latent_ref(dictionary.name, other), labels.get(other), share)
            for other, share in together
        ],
        n_together=told.get("n_together"),
        enriched=None
        if enriched is None
        else [ClassEffect(name, effect, [low, high], q) for name, effect, low, high, q in enriched],
    )
