"""Latents like a latent, of the same dictionary."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import DictionaryInfo, get_latents, read_checkpoint
from saecli.catalog.latents import exemplars, summaries
from saecli.catalog.opening import Catalog
from saecli.catalog.profiles import ProfileInfo, get_profile
from saecli.catalog.statistics import read_patterns
from saecli.records.finding import SimilarLatent, SimilarReport
from saecli.refs import Concept
from saecli.search.decoders import decoder_rows
from saecli.search.neighbours import (
    correlations,
    cosines,
    ranked,
    together_on_cells,
    together_on_images,
)

RELATIONS = ("alike", "together", "decoder")
EXEMPLARS = 4


@dataclass(frozen=True, eq=False)
class Relations:
    """How a latent relates to all of its dictionary; arrays are (n_latents,), NaN where unknown."""

    alike: NDArray[np.float64]
    together: NDArray[np.float64]
    decoder: NDArray[np.float64]
    over: str  # what `together` counts: cells or pictures
    n_images: int

    @classmethod
    def of(
        cls, session: Session, dictionary: DictionaryInfo, profile: ProfileInfo, latent: int
    ) -> "Relations":
        """Read them.

        Raises:
            SaecliError: if the signatures or the checkpoint are missing or damaged.
        """
        positions, signatures, maps = read_patterns(session, profile)
        rows = decoder_rows(read_checkpoint(session, dictionary))
        if maps is None:
            together, over = together_on_images(signatures[latent], signatures), "pictures"
        else:
            together, over = together_on_cells(latent, maps), f"cells of {maps.n_cells} a picture"
        found = cls(
            alike=correlations(signatures[latent], signatures),
            together=together,
            decoder=cosines(rows[latent], rows),
            over=over,
            n_images=len(positions),
        )
        for values in (found.alike, found.together, found.decoder):
            values[latent] = np.nan  # it is no neighbour of its own
        return found

    def by(self, relation: str) -> NDArray[np.float64]:
        """One of the three."""
        return {"alike": self.alike, "together": self.together, "decoder": self.decoder}[relation]


def find_similar(catalog: Catalog, concept: Concept, *, by: str, top: int) -> SimilarReport:
    """The latents most like one latent.

    Args:
        catalog: that is read.
        concept: one latent.
        by: `alike` (signatures), `together` (co-activation) or `decoder`.
        top: how many.

    Raises:
        SaecliError: if there is no such latent, or its dictionary has no profile.
    """
    with catalog.reading() as session:
        dictionary, _ = get_latents(session, concept)
        profile = get_profile(session, dictionary)
        latent = concept.latents[0]
        relations = Relations.of(session, dictionary, profile, latent)
        order = ranked(relations.by(by))[:top].tolist()
        known = summaries(session, dictionary, [latent, *order])
        shown = exemplars(session, dictionary, order, top=EXEMPLARS)
        return SimilarReport(
            ref=str(concept),
            label=known[latent].label,
            by=by,
            image_set=profile.image_set.name,
            n_images=relations.n_images,
            together_over=relations.over,
            results=[
                SimilarLatent(
                    ref=known[index].ref,
                    label=known[index].label,
                    score=float(relations.by(by)[index]),
                    fires_alike=_number(relations.alike[index]),
                    fires_together=_number(relations.together[index]),
                    decoder=_number(relations.decoder[index]),
                    density=known[index].density,
                    exemplars=shown.get(index, []),
                )
                for index in order
            ],
        )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
