"""FAISS index of signatures: Pearson's r as the inner product of centred rows of unit length."""

from functools import cached_property

import faiss
import numpy as np
from numpy.typing import ArrayLike, NDArray

from saecli.errors import SaecliError

_ROUNDING = 1e-4
"""More than float32 products of unit rows can be off by; closer scores are ranked in float64."""
_SPARE = 8
_BLOCK = 1024


class SignatureIndex:
    """An exact index over the signatures of one dictionary's latents.

    Latents whose signature is constant (they never fire, or alike everywhere) have no
    correlation with anything: they are in no result.

    Args:
        signatures: (S, M), image-level maximum activations over the shared images.

    Attributes:
        signatures: (S, M), as given.
    """

    def __init__(self, signatures: ArrayLike) -> None:
        self.signatures: NDArray[np.floating] = np.asarray(signatures)

    @cached_property
    def candidates(self) -> NDArray[np.int64]:
        """(C,) int64, the latents with a varying signature, ascending."""
        blocks = (
            self.signatures[start : start + _BLOCK] for start in range(0, self.n_latents, _BLOCK)
        )
        varies = [block.max(axis=1) != block.min(axis=1) for block in blocks]
        found: NDArray[np.int64] = np.flatnonzero(np.concatenate([np.zeros(0, bool), *varies]))
        return found

    @cached_property
    def rows(self) -> NDArray[np.float32]:
        """(C, M) float32, their signatures, centred, of unit length."""
        return standardise(self.signatures, self.candidates)

    def _nearest(
        self, rows: NDArray[np.float32], n: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """FAISS's exact search among the rows where they lie: an index would be a copy of them."""
        near, places = faiss.knn(rows, self.rows, n, metric=faiss.METRIC_INNER_PRODUCT)
        return near, places

    @property
    def n_latents(self) -> int:
        return len(self.signatures)

    @property
    def n_images(self) -> int:
        return int(self.signatures.shape[1])

    def propose(self, sources: ArrayLike, n: int) -> NDArray[np.int64]:
        """(Q, n) int64: latents of the largest r with each source by FAISS's float32; -1 for none.

        Near ties may stand in any order: for whoever ranks them anew.

        Raises:
            SaecliError: if the sources are over another number of images.
        """
        sources = np.asarray(sources)
        check_shared(sources.shape[1], self.n_images)
        latents = np.full((len(sources), n), -1, dtype=np.int64)
        most = min(len(self.candidates), n)
        for start in range(0, len(sources) if most else 0, _BLOCK):
            rows = standardise(sources[start : start + _BLOCK])
            places = self._nearest(rows, most)[1]
            places[~rows.any(axis=1)] = -1
            found = np.where(places >= 0, self.candidates[places], -1)
            latents[start : start + _BLOCK, :most] = found
        return latents

    def search(self, sources: ArrayLike, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The latents that correlate most with each source.

        FAISS (float32) proposes, Pearson's r in float64 ranks: by r descending, ties by lower
        index.

        Args:
            sources: (Q, M), signatures over the same images.
            n: how many latents to list.

        Returns:
            latents (Q, n) int64, -1 where there are no more or the source is constant; r (Q, n)
            float64, NaN there.

        Raises:
            SaecliError: if the sources are over another number of images.
        """
        sources = np.asarray(sources)
        check_shared(sources.shape[1], self.n_images)
        latents = np.full((len(sources), n), -1, dtype=np.int64)
        scores = np.full((len(sources), n), np.nan)
        rows = standardise(sources)
        queries = np.flatnonzero(rows.any(axis=1))
        if not len(self.candidates) or not len(queries):
            return latents, scores
        rows = rows[queries]
        most = min(len(self.candidates), n + _SPARE)
        near, found = self._nearest(rows, most)
        for query, row, close, places in zip(queries, rows, near, found, strict=True):
            chosen = places if _settled(close, n) else self._all_near(row, n, most)
            ids = np.sort(self.candidates[chosen])
            r = pearson(sources[query], self.signatures[ids])
            order = np.argsort(-r, kind="stable")[:n]
            latents[query, : len(order)] = ids[order]
            scores[query, : len(order)] = r[order]
        return latents, scores

    def rank(self, latent: int, source: ArrayLike) -> int | None:
        """A latent's place, from 1, among all by their r with a source (M,).

        With a match's signature as the source it says how mutual the match is: 1 if the match's
        own best in this dictionary is the latent, and 1 / rank is the reciprocal rank. None if
        either signature is constant.
        """
        source = np.asarray(source)
        check_shared(len(source), self.n_images)
        place = int(np.searchsorted(self.candidates, latent))
        absent = place == len(self.candidates) or self.candidates[place] != latent
        if absent or source.max() == source.min():
            return None
        r = self.rows @ standardise(source[None])[0]
        close = np.flatnonzero(np.abs(r - r[place]) <= _ROUNDING)
        ids = self.candidates[close]
        order = ids[np.argsort(-pearson(source, self.signatures[ids]), kind="stable")]
        return 1 + int((r > r[place] + _ROUNDING).sum()) + int(np.flatnonzero(order == latent)[0])

    def _all_near(self, row: NDArray[np.float32], n: int, most: int) -> NDArray[np.int64]:
        """Places of at least the n best, with all that rounding can't tell from the n-th."""
        while most < len(self.candidates):
            most = min(len(self.candidates), 4 * most)
            near, found = self._nearest(row[None], most)
            if _settled(near[0], n):
                break
        else:
            return np.arange(len(self.candidates))
        places: NDArray[np.int64] = found[0]
        return places


def check_shared(n_source: int, n_target: int) -> None:
    """Return if two dictionaries' signatures are over the same number of images.

    Raises:
        SaecliError: if they aren't.
    """
    if n_source != n_target:
        raise SaecliError(
            f"the source's signatures are over {n_source} pictures and the target's over "
            f"{n_target}",
            "profile both dictionaries on the same image set (`saecli profile`)",
        )


def standardise(
    signatures: NDArray[np.floating], chosen: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """(S, M) float32: rows centred and scaled to unit length; constant rows become zero.

    Of some rows alone where they are named.
    """
    n = len(signatures) if chosen is None else len(chosen)
    rows = np.empty((n, signatures.shape[1]), dtype=np.float32)
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        block = signatures[part] if chosen is None else signatures[chosen[part]]
        block = block.astype(np.float64 if block.dtype.itemsize > 4 else np.float32)
        largest, least = block.max(axis=1, keepdims=True), block.min(axis=1, keepdims=True)
        size = np.maximum(np.abs(largest), np.abs(least))
        block /= np.where(size > 0, size, 1)
        block -= block.mean(axis=1, keepdims=True, dtype=np.float64).astype(block.dtype)
        length = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))[:, None]
        length[largest == least] = np.inf
        np.divide(block, length.astype(block.dtype), out=rows[part], casting="same_kind")
    return rows


def pearson(source: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Pearson's r of a signature (M,) with each of (K, M), in float64; 0 where one is constant.

    Equal rows get the same r to the last bit, wherever they stand.
    """
    unit = _unit(np.asarray(source, dtype=np.float64)[None])
    product: NDArray[np.float64] = (unit * _unit(np.asarray(targets, dtype=np.float64))).sum(axis=1)
    return np.clip(product, -1, 1)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    constant = rows.max(axis=1) == rows.min(axis=1)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(largest > 0, largest, 1)
    centred = scaled - scaled.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    length[constant] = np.inf
    unit: NDArray[np.float64] = centred / length
    return unit


def _settled(near: NDArray[np.float32], n: int) -> bool:
    """Whether the list reaches clearly below its n-th score."""
    return len(near) > n and bool(near[-1] < near[n - 1] - _ROUNDING)
