"""How well each latent detects a concept, all latents at once.

Activations are sparse, so only those that are not 0 are kept, each as one integer whose order is
latent, then activation, largest first; the zeros of a latent are one tie. Sorting these integers
puts every threshold of every latent in a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saecli.errors import SaecliError
from saecli.experiments.activity import chunks
from saecli.sae.model import Dictionary

MOST_ENTRIES = 2**27  # active (example, latent) pairs held: 1 GB, about 3 GB while sorting
_LATENT_SHIFT, _VALUE_SHIFT = np.uint64(33), np.uint64(1)  # latent (31) | value (32) | label (1)
_LOW_32 = np.uint64(0xFFFFFFFF)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Detection:
    """Per latent, (n_latents,) float64.

    Args:
        f1: of "f ≥ threshold" at the best positive threshold; 0 for a latent that never fires.
        precision, recall, threshold: there; the higher threshold where two are equally good. The
            threshold is NaN for a latent that never fires.
        auroc: the chance that a positive example has a larger activation than a negative one,
            ties counting half.
        n_positive, n_negative: examples.
    """

    f1: Floats
    precision: Floats
    recall: Floats
    threshold: Floats
    auroc: Floats
    n_positive: int
    n_negative: int

    def ranked(self) -> npt.NDArray[np.int64]:
        """Latents by F1, best first; ties by lower index."""
        return np.argsort(-self.f1, kind="stable")


class Tally:
    """Collects examples and scores every latent on them.

    Args:
        n_latents: at most 2³¹.
        most_entries: bound on what is held.
    """

    def __init__(self, n_latents: int, most_entries: int = MOST_ENTRIES) -> None:
        self.n_latents, self._most = n_latents, most_entries
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._held = self._n_positive = self._n_negative = 0

    def add(self, f: Tensor, positive: Tensor) -> None:
        """Add examples.

        Args:
            f: (n, n_latents) activations.
            positive: (n,) bool, whether the example shows the concept.

        Raises:
            SaecliError: if more active pairs come together than can be held.
        """
        example, latent = torch.nonzero(f, as_tuple=True)
        self._held += len(example)
        if self._held > self._most:
            raise SaecliError(
                f"the pictures hold more than {self._most:,} activations to sort",
                "detect on fewer pictures",
            )
        value = f[example, latent].float().cpu().numpy()
        label = positive[example].cpu().numpy().astype(np.uint64)
        where = latent.cpu().numpy().astype(np.uint64)
        self._keys.append(where << _LATENT_SHIFT | _descending(value) << _VALUE_SHIFT | label)
        n = int(positive.sum())
        self._n_positive += n
        self._n_negative += len(positive) - n

    def score(self) -> Detection:
        """Score all latents on the examples so far.

        Raises:
            SaecliError: if there is no positive or no negative example.
        """
        if not self._n_positive or not self._n_negative:
            kind = "shows" if not self._n_positive else "lacks"
            raise SaecliError(
                f"nothing in the pictures {kind} the concept",
                "give pictures or masks of both kinds",
            )
        keys = np.concatenate(self._keys)
        keys.sort()
        positive = (keys & np.uint64(1)).astype(np.int64)
        return self._sweep(keys >> _VALUE_SHIFT, positive, 1 - positive)

    def _sweep(
        self,
        place: npt.NDArray[np.uint64],
        positive: npt.NDArray[np.int64],
        negative: npt.NDArray[np.int64],
    ) -> Detection:
        """Walk down the thresholds; ``place`` is latent and value, ascending."""
        latents = np.arange(self.n_latents, dtype=np.uint64)
        active_positive = self._per_latent(place, positive)
        active_negative = self._per_latent(place, negative)
        zeros = latents << np.uint64(32) | _descending(np.zeros(1, np.float32))
        at = np.searchsorted(place, zeros)
        place = np.insert(place, at, zeros)
        positive = np.insert(positive, at, self._n_positive - active_positive)
        negative = np.insert(negative, at, self._n_negative - active_negative)

        start = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])  # of each threshold
        hits = np.add.reduceat(positive, start)
        alarms = np.add.reduceat(negative, start)
        latent = (place[start] >> np.uint64(32)).astype(np.int64)
        first = np.searchsorted(latent, np.arange(self.n_latents))
        # each latent holds every example once, so its running counts start at a multiple of n
        true_positive = np.cumsum(hits) - latent * self._n_positive
        false_positive = np.cumsum(alarms) - latent * self._n_negative

        beaten = alarms * (true_positive - hits / 2)
        auroc = np.add.reduceat(beaten, first) / (self._n_positive * self._n_negative)
        f1 = 2 * true_positive / (true_positive + false_positive + self._n_positive)
        value = _ascending(place[start] & _LOW_32)
        f1[value <= 0] = -1.0  # "everything shows it" detects nothing
        best = np.maximum.reduceat(f1, first)
        candidates = np.flatnonzero(f1 == best[latent])
        chosen = candidates[np.unique(latent[candidates], return_index=True)[1]]
        fires = best > -1
        called = np.maximum(true_positive[chosen] + false_positive[chosen], 1)
        return Detection(
            f1=np.where(fires, best, 0.0),
            precision=np.where(fires, true_positive[chosen] / called, 0.0),
            recall=np.where(fires, true_positive[chosen] / self._n_positive, 0.0),
            threshold=np.where(fires, value[chosen], np.nan),
            auroc=auroc,
            n_positive=self._n_positive,
            n_negative=self._n_negative,
        )

    def _per_latent(
        self, place: npt.NDArray[np.uint64], counted: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """(n_latents,) sums of a count over each latent's entries."""
        edges = np.arange(self.n_latents + 1, dtype=np.uint64) << np.uint64(32)
        running = np.r_[0, np.cumsum(counted)]
        sums: npt.NDArray[np.int64] = np.diff(running[np.searchsorted(place, edges)])
        return sums


def _descending(value: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """32-bit codes that ascend while the values descend (IEEE 754 bits, order made total)."""
    bits = value.view(np.uint32).astype(np.uint64)
    ascending = np.where(bits >> np.uint64(31), ~bits & _LOW_32, bits | np.uint64(1 << 31))
    return _LOW_32 - ascending


def _ascending(code: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """The values that :func:`_descending` coded."""
    ascending = _LOW_32 - code
    negative = ascending < np.uint64(1 << 31)
    bits = np.where(negative, ~ascending & _LOW_32, ascending - np.uint64(1 << 31))
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def detect_patches(
    dictionary: Dictionary,
    batches: Iterable[tuple[Tensor, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]],
) -> Detection:
    """Score latents as detectors of patches.

    Args:
        batches: patches (b, P, d_model), which of them show the concept (b, P), and which others
            count as negative (b, P), as :func:`saecli.experiments.margins.target_patches` gives.

    Raises:
        SaecliError: if no patch shows the concept, or all do.
    """
    tally = Tally(dictionary.n_latents)
    with torch.no_grad():
        for x, positive, negative in batches:
            counted = torch.from_numpy(positive | negative)
            truth = torch.from_numpy(positive)[counted]
            pieces = chunks(x[counted.to(x.device)], dictionary.n_latents)
            start = 0
            for piece in pieces:
                f = dictionary.encode(piece.to(dictionary.device, dictionary.dtype))
                tally.add(f, truth[start : start + len(f)].to(f.device))
                start += len(f)
    return tally.score()


def detect_images(
    dictionary: Dictionary, batches: Iterable[tuple[Tensor, npt.NDArray[np.bool_]]]
) -> Detection:
    """Score latents as detectors of pictures, by their largest activation over the patches.

    Args:
        batches: patches (b, P, d_model) and whether each picture shows the concept (b,).

    Raises:
        SaecliError: if no picture shows the concept, or all do.
    """
    tally = Tally(dictionary.n_latents)
    with torch.no_grad():
        for x, positive in batches:
            for picture, shows in zip(x, positive, strict=True):
                encoded = dictionary.encode(picture.to(dictionary.device, dictionary.dtype))
                truth = torch.tensor([bool(shows)], device=encoded.device)
                tally.add(encoded.amax(dim=0, keepdim=True), truth)
    return tally.score()
