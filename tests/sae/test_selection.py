"""The k largest, exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saecli.sae.selection import largest


def reference(row: list[float], k: int) -> list[int]:
    return sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]


@settings(deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda width: st.tuples(
            st.lists(
                st.lists(
                    st.sampled_from([-1.0, 0.0, -0.0, 0.5, 2.0]), min_size=width, max_size=width
                ),
                min_size=0,
                max_size=4,
            ),
            st.just(width),
            st.integers(1, width),
        )
    )
)
def test_order_is_by_value_then_by_lower_index(case):
    rows, width, k = case
    scores = torch.tensor(rows).reshape(len(rows), width)
    values, indices = largest(scores, k)
    assert indices.tolist() == [reference(row, k) for row in rows]
    assert torch.equal(values, scores.gather(1, indices))


@pytest.mark.parametrize("k", [1, 31, 300])
def test_many_equal_values_beyond_k_keep_the_lowest_indices(k):
    scores = torch.zeros(300, 400)
    scores[:, 399] = 1.0
    _, indices = largest(scores, k)
    assert indices[7].tolist() == [399, *range(k - 1)]


def test_rows_without_ties_agree_with_a_full_sort():
    scores = torch.randn(64, 500, generator=torch.Generator().manual_seed(0))
    values, indices = largest(scores, 20)
    expected = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :20]
    assert np.array_equal(indices.numpy(), expected)
    assert torch.equal(values, scores.gather(1, indices))
