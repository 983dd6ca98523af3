"""The monosemanticity score: how alike the pictures are on which a latent fires.

Source: Pach et al. 2025, arXiv 2504.02821, "Sparse Autoencoders Learn Monosemantic Features in
Vision-Language Models", section 3.2: the mean cosine similarity of all pairs of pictures, weighted
by both pictures' activations, each scaled to 0 … 1 over the set,

    MS = Σ_{n≠m} ã_n ã_m s_nm / Σ_{n≠m} ã_n ã_m,   s_nm = u_n·u_m,   ‖u_n‖ = 1.

The double sums need no pairs. The numerator over all n, m is ‖Σ_n ã_n u_n‖², since it is bilinear
in u; its diagonal is Σ ã_n² ‖u_n‖² = Σ ã_n², and the same with every s_nm = 1 is the denominator:

    MS = (‖Σ ã_n u_n‖² − Σ ã_n²) / ((Σ ã_n)² − Σ ã_n²),

which is O(N) in the number of pictures.

Two choices are ours. A picture's activation is its largest over the patches. The paper embeds
pictures by another model; here a picture's embedding is the mean of its patches' activations at the
dictionary's own layer, less the dictionary's mean: no second model is needed, and scores of
different backbones don't compare.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from saecli.profiling.signatures import smallest

_BLOCK = 1024


def monosemanticity(
    maxima: NDArray[np.floating], embeddings: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The score of each latent.

    Args:
        maxima: (S, N) each latent's activation on each picture, non-negative.
        embeddings: (N, D) the pictures' embeddings, of any length; one of length 0 is like none.

    Returns:
        (S,) float64, at most 1; NaN for a latent that tells fewer than two pictures from the rest.
    """
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    unit = embeddings / np.where(lengths > 0, lengths, 1)
    own = (lengths[:, 0] > 0).astype(np.float64)  # u·u: 1, or 0 without a direction
    score = np.full(len(maxima), np.nan)
    for start in range(0, len(maxima), _BLOCK):
        a = maxima[start : start + _BLOCK].astype(np.float64, order="C")
        least = a.min(axis=1, keepdims=True)
        spread = a.max(axis=1, keepdims=True) - least
        a = (a - least) / np.where(spread > 0, spread, 1)
        square = a**2
        pairs = a.sum(axis=1) ** 2 - square.sum(axis=1)
        alike = ((a @ unit) ** 2).sum(axis=1) - square @ own
        told = (a > 0).sum(axis=1) > 1
        score[start : start + _BLOCK][told] = alike[told] / pairs[told]
    return score


class Embeddings:
    """Embeddings of a uniform draw of pictures, whose number is known last.

    Args:
        size: most pictures.
        seed: of the draw, the signature's.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._held: dict[int, NDArray[np.float32]] = {}

    def add(self, images: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Take in a group of images, (G,), and their embeddings, (G, D)."""
        before = np.fromiter(self._held, np.int64, count=len(self._held))
        chosen = set(smallest(np.concatenate([before, images]), self._size, self._seed).tolist())
        for image in [image for image in self._held if image not in chosen]:
            del self._held[image]
        for image, embedding in zip(images.tolist(), embeddings, strict=True):
            if image in chosen:
                self._held[image] = embedding

    def join(self, later: "Embeddings") -> None:
        """Take in what was gathered over later images."""
        for image, embedding in later._held.items():
            self.add(np.array([image]), embedding[None])

    def finish(self) -> NDArray[np.float32]:
        """(M, D), in the images' order."""
        return np.stack([self._held[image] for image in sorted(self._held)])

    def state(self) -> dict[str, NDArray[np.generic]]:
        """All that was gathered so far, by name."""
        images = np.fromiter(self._held, np.int64, count=len(self._held))
        rows = list(self._held.values())
        return {"images": images, "rows": np.stack(rows) if rows else np.zeros((0, 0), np.float32)}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from a `state`."""
        self._held = dict(zip(state["images"].tolist(), state["rows"], strict=True))
