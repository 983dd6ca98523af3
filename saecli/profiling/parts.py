"""Part of a pass: what is gathered over a run of images, and how runs are put together.

Runs end where spans do (see `Statistics`), so that several processes that take a run each, put
together in order, give the profile of one that takes all, bit for bit. Only where the coarse maps
outgrow their bound may fewer or more images be kept of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saecli.profiling.coactivation import Coactivation
from saecli.profiling.coarse import CoarseGathering
from saecli.profiling.encoding import Encoded, Encoder, Regrouping, group_size
from saecli.profiling.enrichment import ClassCounts
from saecli.profiling.exemplars import Shortlist
from saecli.profiling.monosemanticity import Embeddings
from saecli.profiling.near_misses import NearMisses
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
    near_misses: NearMisses
    classes: ClassCounts | None
    signatures: Signatures
    embeddings: Embeddings
    coarse: CoarseGathering
    coactivation: Coactivation

    @classmethod
    def begin(
        cls,
        dictionary: Dictionary,
        most_images: int,
        settings: ProfileSettings,
        first: int = 0,
        classes: NDArray[np.int64] | None = None,
    ) -> Part:
        """Nothing yet, of a run that begins at an image."""
        n_latents, seed = dictionary.n_latents, settings.seed
        size = settings.signature_images
        edges = histogram_edges(settings.n_bins, settings.histogram_low, settings.histogram_high)
        return cls(
            first=first,
            most_images=most_images,
            n_images=0,
            n_patches=0,
            statistics=Statistics(n_latents, edges, span_size(dictionary, most_images)),
            shortlist=Shortlist(n_latents, settings.n_exemplars, settings.n_sample, seed),
            near_misses=NearMisses(n_latents, settings.n_near_misses),
            classes=None if classes is None else ClassCounts(n_latents, classes),
            signatures=Signatures(n_latents, size, most_images, seed),
            embeddings=Embeddings(size, seed),
            coarse=CoarseGathering(
                n_latents, dictionary.identity.grid, size, settings.coarse_side, seed
            ),
            coactivation=Coactivation(n_latents, size, seed),
        )

    def add(self, images: NDArray[np.int64], encoded: Encoded) -> None:
        """Take in the next group of images."""
        firings = encoded.firings
        peaks = find_peaks(firings, encoded.preactivations.shape[2])
        self.statistics.add(firings, peaks)
        self.shortlist.add(firings, peaks)
        self.near_misses.add(images, encoded.preactivations, peaks)
        if self.classes is not None:
            self.classes.add(images, peaks)
        self.signatures.add(images, peaks)
        self.embeddings.add(images, encoded.embeddings)
        self.coarse.add(firings)
        self.coactivation.add(firings)
        self.n_images += len(images)
        self.n_patches += len(images) * firings.n_patches

    def join(self, later: Part) -> None:
        """Take in what was gathered over the images that follow."""
        self.n_images += later.n_images
        self.n_patches += later.n_patches
        self.statistics.join(later.statistics)
        self.shortlist.join(later.shortlist)
        self.near_misses.join(later.near_misses)
        if self.classes is not None and later.classes is not None:
            self.classes.join(later.classes)
        self.signatures.join(later.signatures)
        self.embeddings.join(later.embeddings)
        self.coarse.join(later.coarse)
        self.coactivation.join(later.coactivation)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was gathered so far, by name: arrays of numbers."""
        seen = np.array([self.n_images, self.n_patches], np.int64)
        return {"seen": seen} | {
            f"{name}.{key}": array
            for name, piece in self._pieces()
            for key, array in piece.state().items()
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`, of a part begun alike."""
        self.n_images, self.n_patches = state["seen"].tolist()
        for name, piece in self._pieces():
            start = f"{name}."
            piece.restore(
                {key.removeprefix(start): state[key] for key in state if key.startswith(start)}
            )

    def _pieces(self) -> list[tuple[str, Any]]:
        named = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, piece) for name, piece in named if hasattr(piece, "restore")]


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


@dataclass
class _Going:
    """A dictionary on its way through the images."""

    part: Part
    encoder: Encoder
    regrouping: Regrouping
    run: range

    def take(self, groups: Iterable[tuple[NDArray[np.int64], Tensor]]) -> None:
        part = self.part
        for images, x in groups:
            following = part.first + part.n_images
            last = following + len(images) - 1
            if images[-1] != last or last >= self.run.stop:
                raise ValueError(f"image {images[-1]} as number {last + 1} of {part.most_images}")
            part.add(images, self.encoder.encode(images, x))


def gather(
    dictionaries: Sequence[Dictionary],
    batches: Iterable[tuple[int, Tensor]],
    most_images: int,
    settings: ProfileSettings,
    progress: Progress = SILENT,
    *,
    run: range | None = None,
    classes: NDArray[np.int64] | None = None,
    parts: Sequence[Part] | None = None,
    kept: Callable[[Sequence[Part]], None] | None = None,
) -> list[Part]:
    """Go through a run of an image set's images once, for dictionaries of one backbone and layer.

    Args:
        dictionaries: the SAEs; their devices and dtypes are used.
        batches: (index of the first image, (b, P, D) activations), without a gap, one grid.
        most_images: of the whole set, at most.
        settings: what to keep.
        progress: gets a task "profiling", in images.
        run: the images that come, as of `share_of`; all of the set where None.
        classes: (most_images,) each image's class as a number, -1 where it has none; None where
            no classes are known.
        parts: of the dictionaries, what was gathered before; then the batches begin behind it.
        kept: called now and then with what was gathered so far, of whole groups for each.

    Raises:
        SaecliError: if an activation is NaN or infinite.
        ValueError: if images are out of order, missing between others, or too many.
    """
    run = range(most_images) if run is None else run
    if parts is None:
        parts = [Part.begin(one, most_images, settings, run.start, classes) for one in dictionaries]
    going = [
        _Going(
            part,
            Encoder(one, settings.precision),
            Regrouping(one.n_latents, part.first + part.n_images),
            run,
        )
        for one, part in zip(dictionaries, parts, strict=True)
    ]
    with progress.task("profiling", len(run), "images") as task:
        task.advance(min(part.n_images for part in parts))
        for start, x in batches:
            for one in going:
                one.take(one.regrouping.add(start, x))
            task.advance(len(x))
            if kept is not None:
                kept(parts)
        for one in going:
            one.take(one.regrouping.rest())
    return list(parts)


def joined(parts: Sequence[Part]) -> Part:
    """Runs that follow one another, as one; the first is changed."""
    whole = parts[0]
    for part in parts[1:]:
        whole.join(part)
    return whole
