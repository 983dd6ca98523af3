"""Random order that is a function of seed, epoch and position alone, so that it can be resumed.

Nothing but the position needs to be kept of a shuffled stream: each epoch's permutation comes
from a generator of its own. Where all patches lie in memory the permutation is over all of them.
Where they lie in a file or are still to be computed, images are permuted (in blocks of
neighbours where reading in one go pays), consecutive ones form a group of stated size in
memory, and the patches of a group are permuted.
"""

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from saecli.activations.source import Position
from saecli.errors import SaecliError

_IMAGES, _PATCHES = 0, 1  # what a generator orders; keeps their random numbers apart


class UniformStream:
    """Patches of images held in memory, in one uniformly random order for each epoch."""

    def __init__(self, store: Tensor, images: Tensor, seed: int, start: Position) -> None:
        """Read ``store`` (n_images, P, D), of it the given images, from a position on."""
        self._patches = store.view(-1, store.shape[2])
        self._per_image = store.shape[1]
        self._images = images
        self._seed = seed
        self.position = start
        self._order = self._permutation(start.epoch)

    def draw(self, n: int, share: tuple[int, int] = (0, 1)) -> Tensor:
        """The next n patches, (n, D) float32, or a share of them (see `Stream.draw`)."""
        parts = []
        done = 0
        while done < n:
            epoch, offset = self.position.epoch, self.position.offset
            chosen = self._order[offset : offset + n - done]
            mine = _share_of(chosen, done, n, share)
            rows = self._images[mine // self._per_image] * self._per_image
            parts.append(self._patches.index_select(0, rows + mine % self._per_image).float())
            done += len(chosen)
            if offset + len(chosen) < len(self._order):
                self.position = Position(epoch, 0, offset + len(chosen))
            else:
                self.position = Position(epoch + 1, 0, 0)
                self._order = self._permutation(epoch + 1)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _permutation(self, epoch: int) -> Tensor:
        n = len(self._images) * self._per_image
        return _permutation(n, self._seed, epoch, 0, _PATCHES)


class GroupedStream:
    """Patches of images that are fetched a group at a time and mixed within the group."""

    def __init__(
        self,
        fetch: Callable[[Tensor], Tensor],
        images: Tensor,
        seed: int,
        start: Position,
        *,
        images_per_block: int,
        images_per_group: int,
        ahead: bool = False,
    ) -> None:
        """Read by ``fetch``: image numbers (m,) → their patches (n, D), broken ones left out.

        With ``ahead`` a thread fetches the next group while this one is handed out.
        """
        self._fetch = fetch
        self._blocks = torch.tensor_split(images, math.ceil(len(images) / images_per_block))
        self._n_groups = math.ceil(len(self._blocks) / max(1, images_per_group // images_per_block))
        self._seed = seed
        self.position = start
        self._group: tuple[Tensor, Tensor] | None = None  # patches, and their order
        self._reader = ThreadPoolExecutor(1, "saecli-activations") if ahead else None
        self._coming: Future[tuple[Tensor, Tensor]] | None = None

    def draw(self, n: int, share: tuple[int, int] = (0, 1)) -> Tensor:
        """The next n patches, (n, D) float32, or a share of them (see `Stream.draw`).

        Raises:
            SaecliError: if none of the images could be read.
        """
        parts: list[Tensor] = []
        n_empty = 0
        done = 0
        while done < n:
            at = self.position
            if self._group is None:
                self._group = self._next_group(at)
            patches, order = self._group
            chosen = order[at.offset : at.offset + n - done]
            if len(chosen):
                mine = _share_of(chosen, done, n, share)
                parts.append(patches.index_select(0, mine).float())
                done += len(chosen)
            n_empty = 0 if len(order) else n_empty + 1
            if n_empty > self._n_groups:
                raise SaecliError(
                    "none of the pictures could be read", "give a folder of readable pictures"
                )
            if at.offset + len(chosen) < len(order):
                self.position = Position(at.epoch, at.group, at.offset + len(chosen))
            else:
                self.position = self._following(at)
                self._group = None
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _next_group(self, at: Position) -> tuple[Tensor, Tensor]:
        """The group at a position, where there is a reader the one that it has fetched."""
        if self._reader is None:
            return self._load(at)
        coming = self._coming or self._reader.submit(self._load, at)
        group = coming.result()
        self._coming = self._reader.submit(self._load, self._following(at))
        return group

    def _following(self, at: Position) -> Position:
        """The start of the group after a position's."""
        last = at.group + 1 == self._n_groups
        return Position(at.epoch + last, 0 if last else at.group + 1)

    def _load(self, at: Position) -> tuple[Tensor, Tensor]:
        n_blocks = len(self._blocks)
        order = _permutation(n_blocks, self._seed, at.epoch, 0, _IMAGES)
        first, end = (n_blocks * group // self._n_groups for group in (at.group, at.group + 1))
        images = torch.cat([self._blocks[block] for block in order[first:end].tolist()])
        patches = self._fetch(images)
        return patches, _permutation(len(patches), self._seed, at.epoch, at.group, _PATCHES)


def _share_of(chosen: Tensor, done: int, n: int, share: tuple[int, int]) -> Tensor:
    """What a share of a draw of n takes of ``chosen``, which come after ``done`` others."""
    number, of = share
    first, end = n * number // of, n * (number + 1) // of
    return chosen[max(0, first - done) : max(0, end - done)]


def _permutation(n: int, seed: int, epoch: int, group: int, what: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng([seed, epoch, group, what]).permutation(n))
