"""Where latents of several dictionaries fire on the same pictures: what comparing them rests on."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo
from saecli.catalog.profiles import ProfileInfo, profile_over, shared_profiles
from saecli.catalog.statistics import read_patterns
from saecli.errors import SaecliError
from saecli.grid import CoarseMaps
from saecli.progress import SILENT, Progress
from saecli.search.coarse import CoarseIndex
from saecli.search.evidence import Maps
from saecli.search.index import SignatureIndex
from saecli.workflows.untrained import twin_of

BY_MAXIMA, BY_MAPS = "pearson_of_image_maxima", "pearson_of_patch_maps"


@dataclass(frozen=True, eq=False)
class Shared:
    """Patterns of two dictionaries, and of the second's untrained twin, over one image set.

    Attributes:
        profile: the source's, for the image set.
        source, target, untrained: signatures; the twin's are None where it has none.
        twin: the untrained twin, where its signatures are there.
        maps: coarse maps, where all of these have them.
    """

    profile: ProfileInfo
    source: SignatureIndex
    target: SignatureIndex
    untrained: SignatureIndex | None
    twin: DictionaryInfo | None
    maps: Maps | None

    @property
    def method(self) -> str:
        """What r is of."""
        return BY_MAXIMA if self.maps is None else BY_MAPS

    @property
    def n_images(self) -> int:
        """Images that are compared."""
        return self.source.n_images if self.maps is None else self.maps.source.n_images

    @classmethod
    def open(
        cls,
        session: Session,
        info: DictionaryInfo,
        other: DictionaryInfo,
        progress: Progress = SILENT,
    ) -> "Shared":
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
        twin = twin_of(session, other, progress)
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
            twin=twin if untrained is not None else None,
            maps=_over_one_set(parts),
        )


def _over_one_set(parts: list[CoarseMaps | None]) -> Maps | None:
    """Coarse maps over the images that all have; None if one has none, or another grid."""
    there = [part for part in parts if part is not None]
    if len(there) < len(parts) or len({part.n_cells for part in there}) > 1:
        return None
    images = reduce(np.intersect1d, [part.images for part in there])
    return Maps(*(CoarseIndex(part).on(images) for part in there))
