"""From patch activations to the positive latents of each patch, whatever the dictionary's kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saecli.errors import SaecliError
from saecli.sae.model import Dictionary
from saecli.sae.objectives.proposals import largest_by_bf16
from saecli.sae.objectives.protocol import Buffers, Precision
from saecli.sae.weights import Weights

MOST_PREACTIVATIONS = 2**24
"""Bound on the encoder's output held at once, in numbers (64 MB in float32)."""
MOST_IMAGES = 64


@dataclass(frozen=True)
class Firings:
    """Every (image, patch, latent) of a group of images with f > 0, ordered by image, then patch.

    Attributes:
        images: (G,) int64, the group's image indices, ascending.
        n_patches: patches of each image.
        row: (E,) int64, which of the G images.
        patch: (E,) int64.
        latent: (E,) int64.
        value: (E,) float32, f in the SAE's units.
    """

    images: NDArray[np.int64]
    n_patches: int
    row: NDArray[np.int64]
    patch: NDArray[np.int64]
    latent: NDArray[np.int64]
    value: NDArray[np.float32]


def group_size(n_patches: int, n_latents: int) -> int:
    """How many images are encoded at once: it depends on shapes alone, never on the batches."""
    return max(1, min(MOST_IMAGES, MOST_PREACTIVATIONS // (n_patches * n_latents)))


class Regrouping:
    """Cuts a stream of batches anew into groups of ``group_size`` images.

    A matrix product's last bits depend on how many rows it has, so results are the same for every
    batch size only if the encoder always sees the same rows together.

    Args:
        n_latents: the dictionary's width.
        first: image from which on they are taken; earlier ones were taken before.
    """

    def __init__(self, n_latents: int, first: int = 0) -> None:
        self._n_latents = n_latents
        self._first = first
        self._waiting: list[Tensor] = []
        self._indices: list[int] = []
        self._following = 0

    def add(self, start: int, x: Tensor) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Take in (b, P, D) activations of the images from ``start`` on; yield whole groups.

        Raises:
            ValueError: if images do not ascend or the number of patches changes.
        """
        past = max(0, self._first - start)
        if past:
            start, x = start + min(past, len(x)), x[past:]
            if not len(x):
                return
        n_patches = self._waiting[0].shape[1] if self._waiting else x.shape[1]
        if start < self._following or x.shape[1] != n_patches:
            raise ValueError("batches must hold ascending images of one grid")
        self._following = start + x.shape[0]
        self._indices += range(start, self._following)
        self._waiting.append(x)
        size = group_size(n_patches, self._n_latents)
        while len(self._indices) >= size:
            joined = torch.cat(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
            yield np.array(self._indices[:size], dtype=np.int64), joined[:size]
            self._waiting, self._indices = [joined[size:]], self._indices[size:]

    def rest(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """The last group, where images are left."""
        if self._indices:
            yield np.array(self._indices, dtype=np.int64), torch.cat(self._waiting)


@dataclass(frozen=True, eq=False)
class Encoded:
    """A group of images, encoded.

    Attributes:
        firings: what fires.
        preactivations: (G, P, S), float32, or bf16 where the product was.
        embeddings: (G, D) float32, the mean of each image's normalised activations.
    """

    firings: Firings
    preactivations: Tensor
    embeddings: NDArray[np.float32]


class Encoder:
    """A dictionary's half that encodes, ready to be used on many groups.

    TopK dictionaries are read from their sparse code, so that no dense (patches, latents) array of
    activations is built. A signed TopK dictionary's negative values are no activity: density is
    f > 0. With a product in bf16, which latents a TopK dictionary keeps and their values are
    float32's all the same (`largest_by_bf16`); others are always encoded in float32.

    Args:
        dictionary: the SAE; its device and dtype are used.
        precision: of the product.
    """

    def __init__(self, dictionary: Dictionary, precision: Precision = "float32") -> None:
        self._dictionary = dictionary
        proposes = dictionary.activation == "topk" and dictionary.select_scale is None
        self._weights: Weights | None = None
        if precision == "bf16" and proposes and not dictionary.topk_signed:
            self._weights = Weights(
                W_enc=dictionary.W_enc.t().contiguous(),
                b_enc=dictionary.b_enc,
                W_dec=dictionary.W_dec,
                b_dec=dictionary.b_dec,
            )
        self._buffers = Buffers()

    @torch.no_grad()
    def encode(self, images: NDArray[np.int64], x: Tensor) -> Encoded:
        """Encode a group of images and keep what is positive.

        Args:
            images: (G,) image indices.
            x: (G, P, D) activations in the backbone's units, any float dtype and device.

        Raises:
            SaecliError: if an activation is NaN or infinite.
        """
        finite = torch.isfinite(x).flatten(1).all(dim=1)
        if not bool(finite.all()):
            first = int(images[int((~finite).nonzero()[0, 0])])
            raise SaecliError(
                f"the backbone's activations of picture {first} aren't finite",
                "record them in float32 (`--precision float32`), or leave the picture out",
            )
        dictionary = self._dictionary
        n_patches, n_latents = x.shape[1], dictionary.n_latents
        z = dictionary.normalise(x.to(device=dictionary.device, dtype=dictionary.dtype))
        a, position, latent, value = self._active(z.flatten(0, 1))
        place = position.cpu().numpy()
        return Encoded(
            firings=Firings(
                images=images,
                n_patches=n_patches,
                row=place // n_patches,
                patch=place % n_patches,
                latent=latent.to(torch.int64).cpu().numpy(),
                value=value.float().cpu().numpy(),
            ),
            preactivations=a.view(len(images), n_patches, n_latents),
            embeddings=z.mean(dim=1).float().cpu().numpy(),
        )

    def _active(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All pre-activations of rows z, and row, latent and value of each active one."""
        dictionary = self._dictionary
        if self._weights is not None and dictionary.k is not None:
            a, values, latents = self._proposed(self._weights, z, dictionary.k)
        else:
            a = torch.addmm(dictionary.b_enc, z, dictionary.W_enc)
            if dictionary.activation != "topk":
                dense = dictionary.activate(a).flatten()
                flat = (dense > 0).nonzero()[:, 0]
                position = torch.div(flat, dictionary.n_latents, rounding_mode="floor")
                return a, position, flat % dictionary.n_latents, dense[flat]
            values, latents = dictionary.select(a)
        kept = values > 0
        return a, kept.nonzero()[:, 0], latents[kept], values[kept]

    def _proposed(self, weights: Weights, z: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        a = self._buffers.like("a", (len(z), len(weights.W_enc)), z.bfloat16())
        low = self._buffers.like("W", tuple(weights.W_enc.shape), a)
        values, latents = largest_by_bf16(weights, z, k, out=a, low_W=low)
        return a, values, latents
