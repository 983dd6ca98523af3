"""Choosing each latent's exemplars in one pass: the strongest, and a uniform sample.

The sample is chosen by a hash of (seed, latent, image): the images with the smallest hashes are
kept, which is a uniform draw without replacement that doesn't depend on the order or the batches
in which images come (bottom-k sampling; Cohen and Kaplan 2007, "Summarizing data using bottom-k
sketches", PODC). Quantile exemplars come from the same sample, because quantiles are known only
at the end: exact for latents that fire on at most as many images as the sample holds.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saecli.profiling.draws import HASH_BITS, uniform_bits
from saecli.profiling.encoding import Firings
from saecli.profiling.maps import PatchMaps, to_levels
from saecli.profiling.statistics import Peaks

_NEVER = np.uint64(1 << HASH_BITS)


@dataclass(frozen=True)
class _Candidates:
    """(Latent, image) pairs in image order, with their maps' entries in the same order."""

    latent: NDArray[np.int32]
    image: NDArray[np.int32]
    patch: NDArray[np.int32]
    value: NDArray[np.float32]
    key: NDArray[np.uint64]
    n_entries: NDArray[np.int64]
    map_patch: NDArray[np.uint16]
    map_level: NDArray[np.uint8]


@dataclass(frozen=True)
class Chosen:
    """Images of each latent, unique within a row; -1 (activation 0) where there are no more.

    Attributes:
        image: (S, n) int32, image indices.
        patch: (S, n) int32, the first patch that reaches the image's maximum.
        activation: (S, n) float32, that maximum, in the SAE's units.
    """

    image: NDArray[np.int32]
    patch: NDArray[np.int32]
    activation: NDArray[np.float32]


class Shortlist:
    """What may still become an exemplar, with its map, in memory bounded by the survivors.

    Pairs that can't survive by the last sorting are dropped at once; the rest are gathered and
    sorted out when they exceed the bound, so the memory is that of the survivors' sparse maps
    plus ``most_waiting`` entries, however many images there are.

    Args:
        n_latents: S.
        n_top: how many of the strongest images each latent keeps.
        n_sample: how many random images each latent keeps.
        seed: of the sample.
        most_waiting: map entries that may wait to be sorted out.
    """

    def __init__(
        self, n_latents: int, n_top: int, n_sample: int, seed: int, most_waiting: int = 2**23
    ) -> None:
        self.n_latents = n_latents
        self.n_top = n_top
        self.n_sample = n_sample
        self.seed = seed
        self.most_waiting = most_waiting
        self._floor = np.zeros(n_latents, dtype=np.float32)
        self._ceiling = np.full(n_latents, _NEVER, dtype=np.uint64)
        self._parts: list[_Candidates] = []
        self._waiting = 0

    def add(self, firings: Firings, peaks: Peaks) -> None:
        """Offer a group of images; groups come in image order."""
        image = firings.images[peaks.row]
        key = uniform_bits(self.seed, peaks.latent, image)
        passes = (peaks.value > self._floor[peaks.latent]) | (key < self._ceiling[peaks.latent])
        slot = np.full(len(firings.images) * self.n_latents, -1, dtype=np.int64)
        slot[peaks.cell[passes]] = np.arange(np.count_nonzero(passes))
        owner = slot[firings.row * self.n_latents + firings.latent]
        kept = np.flatnonzero(owner >= 0)
        kept = kept[np.argsort(owner[kept], kind="stable")]
        owner, peak = owner[kept], peaks.value[passes]
        part = _Candidates(
            latent=peaks.latent[passes].astype(np.int32),
            image=image[passes].astype(np.int32),
            patch=peaks.patch[passes].astype(np.int32),
            value=peak,
            key=key[passes],
            n_entries=np.bincount(owner, minlength=len(peak)),
            map_patch=firings.patch[kept].astype(np.uint16),
            map_level=to_levels(firings.value[kept], peak[owner]),
        )
        self._parts.append(part)
        self._waiting += len(kept)
        if self._waiting > self.most_waiting:
            self._sort_out()

    def join(self, later: "Shortlist") -> None:
        """Take in what was offered of later images."""
        self._parts += later._parts
        self._waiting += later._waiting

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that may still become an exemplar, by name."""
        kept = _joined(self._parts) if self._parts else None
        names = [field.name for field in fields(_Candidates)] if kept is not None else []
        return {
            "floor": self._floor,
            "ceiling": self._ceiling,
            **{f"pairs_{name}": getattr(kept, name) for name in names},
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._floor[:] = state["floor"]
        self._ceiling[:] = state["ceiling"]
        if "pairs_latent" in state:
            self._parts = [
                _Candidates(**{f.name: state[f"pairs_{f.name}"] for f in fields(_Candidates)})
            ]
            self._waiting = len(self._parts[0].map_patch)

    def _sort_out(self) -> tuple[_Candidates, NDArray[np.int64], NDArray[np.int64]]:
        """Drop what can't survive; also each survivor's rank by value and by hash."""
        pairs = _joined(self._parts)
        rank, floor_at = _ranks(_by_value(pairs), pairs.latent, self.n_top)
        draw, ceiling_at = _ranks(_by_hash(pairs), pairs.latent, self.n_sample)
        self._floor[pairs.latent[floor_at]] = pairs.value[floor_at]
        self._ceiling[pairs.latent[ceiling_at]] = pairs.key[ceiling_at]
        survives = (rank < self.n_top) | (draw < self.n_sample)
        kept = _selected(pairs, survives)
        self._parts, self._waiting = [kept], 0
        return kept, rank[survives], draw[survives]

    def finish(
        self, n_random: int, n_strata: int, n_each: int
    ) -> tuple[Chosen, Chosen, Chosen, PatchMaps]:
        """The top, quantile and random exemplars, and the maps of all of them.

        Args:
            n_random: images of the sample to keep as random actives, at most ``n_sample``.
            n_strata: equal parts into which the sample is cut by activation.
            n_each: images to keep of each stratum.

        Returns:
            top (S, n_top), strongest first, ties by lower image; quantiles (S, n_strata · n_each),
            column c of stratum c // n_each from the weakest up; random (S, n_random) in random
            order; maps.
        """
        pairs, rank, draw = self._sort_out()
        column = _strata(pairs, draw, self.n_sample, n_strata, n_each)
        top = rank < self.n_top
        random = draw < n_random
        quantile = column >= 0
        return (
            _table(pairs, top, rank, self.n_latents, self.n_top),
            _table(pairs, quantile, column, self.n_latents, n_strata * n_each),
            _table(pairs, random, draw, self.n_latents, n_random),
            _maps(_selected(pairs, top | quantile | random)),
        )


def _by_value(pairs: _Candidates) -> NDArray[np.int64]:
    """Order by latent, then value descending; pairs are in image order, so ties are too."""
    bits = np.uint64(2**32 - 1) - pairs.value.view(np.uint32).astype(np.uint64)
    return np.argsort((pairs.latent.astype(np.uint64) << np.uint64(32)) | bits, kind="stable")


def _by_hash(pairs: _Candidates) -> NDArray[np.int64]:
    """Order by latent, then hash ascending, then image."""
    latent = pairs.latent.astype(np.uint64) << np.uint64(HASH_BITS)
    return np.argsort(latent | pairs.key, kind="stable")


def _ranks(
    order: NDArray[np.int64], latent: NDArray[np.int32], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pair's place within its latent, and the pairs that are their latents' ``size``-th."""
    first = np.flatnonzero(np.diff(latent[order], prepend=-1))
    length = np.diff(first, append=len(order))
    place = np.arange(len(order)) - np.repeat(first, length)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = place
    return ranks, order[place == size - 1]


def _strata(
    pairs: _Candidates, draw: NDArray[np.int64], n_sample: int, n_strata: int, n_each: int
) -> NDArray[np.int64]:
    """Each pair's column among the quantile exemplars, or -1.

    The sample's members are cut into ``n_strata`` parts by activation; of each part those with
    the largest hashes are taken, where the random actives take the smallest, so that the two
    share images only in latents that fire on few.
    """
    column = np.full(len(draw), -1, dtype=np.int64)
    members = np.flatnonzero(draw < n_sample)
    order = np.lexsort((pairs.image[members], pairs.value[members], pairs.latent[members]))
    members = members[order]
    size = np.bincount(pairs.latent[members])
    place = np.arange(len(members)) - np.repeat(np.cumsum(size) - size, size)
    stratum = place * n_strata // np.repeat(size, size)
    order = np.lexsort((-draw[members], stratum, pairs.latent[members]))
    members, stratum = members[order], stratum[order]
    cell = pairs.latent[members].astype(np.int64) * n_strata + stratum
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    place = np.arange(len(members)) - np.repeat(first, np.diff(first, append=len(members)))
    taken = place < n_each
    column[members[taken]] = stratum[taken] * n_each + place[taken]
    return column


def _table(
    pairs: _Candidates,
    kept: NDArray[np.bool_],
    column: NDArray[np.int64],
    n_latents: int,
    n_columns: int,
) -> Chosen:
    chosen = Chosen(
        image=np.full((n_latents, n_columns), -1, dtype=np.int32),
        patch=np.full((n_latents, n_columns), -1, dtype=np.int32),
        activation=np.zeros((n_latents, n_columns), dtype=np.float32),
    )
    cells = pairs.latent[kept], column[kept]
    chosen.image[cells] = pairs.image[kept]
    chosen.patch[cells] = pairs.patch[kept]
    chosen.activation[cells] = pairs.value[kept]
    return chosen


def _joined(parts: list[_Candidates]) -> _Candidates:
    return _Candidates(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(_Candidates))
    )


def _selected(pairs: _Candidates, kept: NDArray[np.bool_]) -> _Candidates:
    entries = np.repeat(kept, pairs.n_entries)
    return _Candidates(
        latent=pairs.latent[kept],
        image=pairs.image[kept],
        patch=pairs.patch[kept],
        value=pairs.value[kept],
        key=pairs.key[kept],
        n_entries=pairs.n_entries[kept],
        map_patch=pairs.map_patch[entries],
        map_level=pairs.map_level[entries],
    )


def _maps(pairs: _Candidates) -> PatchMaps:
    order = np.lexsort((pairs.image, pairs.latent))
    ends = np.cumsum(pairs.n_entries)
    length = pairs.n_entries[order]
    start = np.concatenate([[0], np.cumsum(length)])
    entry = np.repeat((ends - pairs.n_entries)[order] - start[:-1], length) + np.arange(start[-1])
    return PatchMaps(
        latent=pairs.latent[order],
        image=pairs.image[order],
        start=start,
        patch=pairs.map_patch[entry],
        level=pairs.map_level[entry],
    )
