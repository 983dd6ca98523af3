"""One pass over an image set's activations: everything the catalog keeps about each latent.

Memory is bounded whatever the number of images: the counts, the survivors of the exemplar
choice with their sparse maps, and the signature. Maps are kept as the pass goes, not encoded
anew afterwards: in a set of any size most images are some latent's exemplar, so that a second
sweep would nearly double the work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saecli.errors import SaecliError
from saecli.grid import CoarseMaps
from saecli.profiling.coactivation import Neighbours
from saecli.profiling.enrichment import Enriched
from saecli.profiling.maps import PatchMaps
from saecli.profiling.monosemanticity import monosemanticity
from saecli.profiling.parts import Part, gather, joined
from saecli.progress import SILENT, Progress
from saecli.sae.model import Dictionary
from saecli.sae.objectives.protocol import Precision


@dataclass(frozen=True)
class ProfileSettings:
    """How much of each latent is kept."""

    n_exemplars: int = 16
    """Top images of each latent."""
    n_random: int = 8
    """Random images on which it fires (delphi scores labels on random actives too)."""
    n_strata: int = 5
    """Equal parts of its images by activation, for the quantile exemplars."""
    n_per_stratum: int = 2
    """Images from each part."""
    n_near_misses: int = 8
    """Pictures on which it is silent, by how near it came to firing."""
    n_sample: int = 64
    """Random images of each latent from which both are drawn; quantiles are exact up to here."""
    n_bins: int = 60
    """Bins of the histogram, log-spaced: a third of an octave each."""
    histogram_low: float = 2.0**-10
    """SAE units; the first bin counts smaller activations too."""
    histogram_high: float = 2.0**10
    """SAE units; the last bin counts larger activations too."""
    signature_images: int = 2048
    """Images of the signature; all where the set has no more."""
    coarse_side: int = 4
    """Rows and columns of the grid on which latents of different backbones are compared."""
    n_neighbours: int = 8
    """Latents that fire with it most."""
    n_enriched: int = 5
    """Classes on whose pictures it fires most, where classes are known."""
    precision: Precision = "float32"
    """Of the encoder's product; what a TopK dictionary keeps is float32's in either."""
    seed: int = 0


@dataclass(frozen=True)
class Profile:
    """What each of S latents does over an image set; activations in the SAE's units.

    An image index is its place in the set; "active" is f > 0.

    Attributes:
        n_images: images seen.
        n_patches: patches seen, over all images.
        n_active: (S,) int64, active patches.
        n_active_images: (S,) int64, images with at least one.
        sum: (S,) float64, sum of f over the active patches.
        max: (S,) float32, 0 where the latent never fired.
        histogram: (S, n_bins) int64, active patches by activation.
        edges: (n_bins + 1,) float32; a bin holds its left edge, the outer two bins also what lies
            beyond them.
        exemplar_image, exemplar_patch, exemplar_activation: (S, n_exemplars) int32, int32,
            float32: the images with the largest maxima, the first patch that reaches each, and
            the maximum; strongest first, ties by lower image; -1, -1 and 0 where there are no
            more.
        quantile_image, quantile_patch, quantile_activation: (S, n_strata · n_per_stratum), alike:
            images from equal parts of the latent's images by their maxima; column c is of part
            c // n_per_stratum, the weakest part first; gaps where a part has fewer.
        random_image, random_patch, random_activation: (S, n_random), alike: random images on
            which the latent fires, in random order.
        maps: patch maps of all of these.
        near_image, near_patch, near_activation: (S, n_near_misses), alike: images on which the
            latent is silent, nearest to firing first (see `NearMisses`); activations are 0.
        neighbours: the latents that each fires with most, on the signature's images.
        monosemanticity: (S,) float64, on the signature's images (see `monosemanticity`).
        enriched: the classes of each latent; None where no classes are known.
        signature_images: (M,) int64, ascending image indices.
        signature: (S, M) float16, maximum over each of those images' patches.
        coarse: where each latent fires on those images.
    """

    n_images: int
    n_patches: int
    n_active: NDArray[np.int64]
    n_active_images: NDArray[np.int64]
    sum: NDArray[np.float64]
    max: NDArray[np.float32]
    histogram: NDArray[np.int64]
    edges: NDArray[np.float32]
    exemplar_image: NDArray[np.int32]
    exemplar_patch: NDArray[np.int32]
    exemplar_activation: NDArray[np.float32]
    quantile_image: NDArray[np.int32]
    quantile_patch: NDArray[np.int32]
    quantile_activation: NDArray[np.float32]
    random_image: NDArray[np.int32]
    random_patch: NDArray[np.int32]
    random_activation: NDArray[np.float32]
    maps: PatchMaps
    near_image: NDArray[np.int32]
    near_patch: NDArray[np.int32]
    near_activation: NDArray[np.float32]
    neighbours: Neighbours
    monosemanticity: NDArray[np.float64]
    enriched: Enriched | None
    signature_images: NDArray[np.int64]
    signature: NDArray[np.float16]
    coarse: CoarseMaps

    @property
    def density(self) -> NDArray[np.float64]:
        """(S,) share of patches on which each latent is active."""
        return self.n_active / max(1, self.n_patches)

    @property
    def mean_activation(self) -> NDArray[np.float64]:
        """(S,) mean over the active patches; 0 where there are none."""
        return self.sum / np.maximum(1, self.n_active)


def profile(
    dictionary: Dictionary,
    batches: Iterable[tuple[int, Tensor]],
    most_images: int,
    settings: ProfileSettings | None = None,
    progress: Progress = SILENT,
    *,
    classes: NDArray[np.int64] | None = None,
) -> Profile:
    """Profile a dictionary over an image set in one pass.

    The result depends on the images, the dictionary and the settings, not on the batches.

    Args:
        dictionary: the SAE; its device and dtype are used.
        batches: (index of the first image, (b, P, D) activations in the backbone's units), from
            image 0 on without a gap, one grid.
        most_images: how many images will come at most; where some turn out to be broken, fewer do.
        settings: what to keep; the defaults where None.
        progress: told of each batch of images.
        classes: (most_images,) each image's class as a number, -1 where it has none; None where
            no classes are known.

    Raises:
        SaecliError: if an activation is NaN or infinite, or no image came.
        ValueError: if images are out of order, missing between others, or too many.
    """
    settings = settings or ProfileSettings()
    parts = gather([dictionary], batches, most_images, settings, progress, classes=classes)
    return finish(parts, settings)


def finish(parts: Sequence[Part], settings: ProfileSettings) -> Profile:
    """The profile of a set from its parts, in the order of the images; the first is changed.

    Raises:
        SaecliError: if no image came.
    """
    whole = joined(parts)
    if not whole.n_images:
        raise SaecliError(
            f"none of {whole.most_images} pictures could be read",
            "give a folder of readable pictures",
        )
    statistics = whole.statistics
    near = whole.near_misses.finish(statistics.largest > 0)
    signature_images, signature = whole.signatures.finish()
    top, quantiles, random, maps = whole.shortlist.finish(
        settings.n_random, settings.n_strata, settings.n_per_stratum
    )
    return Profile(
        n_images=whole.n_images,
        n_patches=whole.n_patches,
        n_active=statistics.n_active,
        n_active_images=statistics.n_active_images,
        sum=statistics.total,
        max=statistics.largest,
        histogram=statistics.histogram,
        edges=statistics.edges,
        exemplar_image=top.image,
        exemplar_patch=top.patch,
        exemplar_activation=top.activation,
        quantile_image=quantiles.image,
        quantile_patch=quantiles.patch,
        quantile_activation=quantiles.activation,
        random_image=random.image,
        random_patch=random.patch,
        random_activation=random.activation,
        maps=maps,
        near_image=near.image,
        near_patch=near.patch,
        near_activation=near.activation,
        neighbours=whole.coactivation.finish(settings.n_neighbours),
        monosemanticity=monosemanticity(signature, whole.embeddings.finish()),
        enriched=None if whole.classes is None else whole.classes.finish(settings.n_enriched),
        signature_images=signature_images,
        signature=signature,
        coarse=whole.coarse.finish(),
    )
