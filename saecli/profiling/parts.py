"""Part of a pass: what is gathered over a run of images, and how runs are put together.

Runs end where spans do (see `Statistics`), so that several processes that take a run each, put
together in order, give the profile of one that takes all, bit for bit. Only where the coarse maps
outgrow their bound may fewer or more images be kept of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from saecli.profiling.coarse import CoarseGathering
from saecli.profiling.encoding import encode_group, group_size, regroup
from saecli.profiling.exemplars import Shortlist
from saecli.profiling.signatures import Signatures
from saecli.profiling.statistics import SPANS, Statistics, find_peaks, histogram_edges
from saecli.progress import SILENT, Progress
from saecli.sae.model import Dictionary

if TYPE_CHECKING:
    from saecli.profiling.profiler import ProfileSettings


@dataclass
class Part:
    """Everything gathered over a run of images.

    Attributes:
        first: the run's first image.
        most_images: of the whole set, at most.
        n_images: images seen.
        n_patches: patches seen.
    """

    first: int
    most_images: int
    n_images: int
    n_patches: int
    statistics: Statistics
    shortlist: Shortlist
    signatures: Signatures
    coarse: CoarseGathering


def span_size(dictionary: Dictionary, n_images: int) -> int:
    """Images to a span: whole groups, as the encoder sees them, and at most ``SPANS`` spans."""
    rows, columns = dictionary.identity.grid
    group = group_size(rows * columns, dictionary.n_latents)
    return max(1, -(-n_images // (SPANS * group))) * group


def share_of(dictionary: Dictionary, n_images: int, rank: int, size: int) -> range:
    """The images that one of several processes takes: a run of whole spans, perhaps none."""
    span = span_size(dictionary, n_images)
    n_spans = -(-n_images // span)
    first, end = (n_spans * number // size * span for number in (rank, rank + 1))
    return range(first, min(end, n_images))


def gather(
    dictionary: Dictionary,
    batches: Iterable[tuple[int, Tensor]],
    most_images: int,
    settings: ProfileSettings,
    progress: Progress = SILENT,
    *,
    run: range | None = None,
) -> Part:
    """Go through a run of an image set's images once.

    Args:
        dictionary: the SAE; its device and dtype are used.
        batches: (index of the first image, (b, P, D) activations), without a gap, one grid.
        most_images: of the whole set, at most.
        settings: what to keep.
        progress: gets a task "profiling", in images.
        run: the images that come, as of `share_of`; all of the set where None.

    Raises:
        SaecliError: if an activation is NaN or infinite.
        ValueError: if images are out of order, missing between others, or too many.
    """
    run = range(most_images) if run is None else run
    n_latents = dictionary.n_latents
    edges = histogram_edges(settings.n_bins, settings.histogram_low, settings.histogram_high)
    part = Part(
        first=run.start,
        most_images=most_images,
        n_images=0,
        n_patches=0,
        statistics=Statistics(n_latents, edges, span_size(dictionary, most_images)),
        shortlist=Shortlist(n_latents, settings.n_exemplars, settings.n_sample, settings.seed),
        signatures=Signatures(n_latents, settings.signature_images, most_images, settings.seed),
        coarse=CoarseGathering(
            n_latents,
            dictionary.identity.grid,
            settings.signature_images,
            settings.coarse_side,
            settings.seed,
        ),
    )
    with progress.task("profiling", len(run), "images") as task:
        for images, x in regroup(batches, n_latents):
            part.n_images += len(images)
            last = part.first + part.n_images - 1
            if images[-1] != last or part.n_images > len(run):
                raise ValueError(f"image {images[-1]} as number {last + 1} of {most_images}")
            firings = encode_group(dictionary, images, x)
            peaks = find_peaks(firings, n_latents)
            part.statistics.add(firings, peaks)
            part.shortlist.add(firings, peaks)
            part.signatures.add(images, peaks)
            part.coarse.add(firings)
            part.n_patches += x.shape[0] * x.shape[1]
            task.advance(len(images))
    return part


def joined(parts: Sequence[Part]) -> Part:
    """Runs that follow one another, as one; the first is changed."""
    whole = parts[0]
    for part in parts[1:]:
        whole.n_images += part.n_images
        whole.n_patches += part.n_patches
        whole.statistics.join(part.statistics)
        whole.shortlist.join(part.shortlist)
        whole.signatures.join(part.signatures)
        whole.coarse.join(part.coarse)
    return whole
