"""The k largest entries of each row, exactly: by value descending, ties by lower index."""

import torch
from torch import Tensor


def largest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Choose the k largest entries of each row; of equal ones the lower index comes first.

    ``torch.topk`` promises neither which of equal entries it takes nor their order. One entry
    more than asked for shows whether a row holds equal neighbours in value order; only such
    rows are sorted in full.

    Args:
        scores: (N, S), float, no NaN.
        k: how many, at most S.

    Returns:
        values (N, k) descending, and their indices (N, k) int64.
    """
    n_rows, width = scores.shape
    if n_rows == 0 or k >= width:
        values, indices = torch.sort(scores, dim=1, descending=True, stable=True)
        return values[:, :k], indices[:, :k]
    values, indices = torch.topk(scores, k + 1, dim=1)
    tied = (values[:, 1:] == values[:, :-1]).any(dim=1).nonzero()[:, 0]
    values, indices = values[:, :k].contiguous(), indices[:, :k].contiguous()
    for start in range(0, len(tied), 256):
        rows = tied[start : start + 256]
        exact, order = torch.sort(scores[rows], dim=1, descending=True, stable=True)
        values[rows], indices[rows] = exact[:, :k], order[:, :k]
    return values, indices
