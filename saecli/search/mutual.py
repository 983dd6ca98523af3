"""Whether a match is mutual: where the source stands among its own, seen from the match."""

import numpy as np
from numpy.typing import NDArray

from saecli.search.evidence import Maps
from saecli.search.index import SignatureIndex


def reciprocal_ranks(
    latent: int,
    matches: NDArray[np.int64],
    source: SignatureIndex,
    target: SignatureIndex,
    maps: Maps | None,
) -> list[float | None]:
    """1 / rank of a latent among all of its dictionary's, by r with each match.

    1 where the match's own best is the latent: then the two are each other's nearest. By maps
    where there are any, else by image maxima; ties go to the lower number.

    Args:
        latent: of the source dictionary.
        matches: (K,) latents of the target.
        source, target: signatures over the same images.
        maps: coarse maps of both, or None.

    Returns:
        (K,) each 1 / rank; None where either has a constant pattern.
    """
    if maps is None:
        ranks = [source.rank(latent, target.signatures[match]) for match in matches.tolist()]
        return [None if rank is None else 1 / rank for rank in ranks]
    found: list[float | None] = []
    for row in maps.source.correlate(maps.target, matches):
        own = row[latent]
        before = (row > own).sum() + (row[:latent] == own).sum()
        found.append(1 / (1 + int(before)) if own else None)
    return found
