"""Signatures and coarse maps come back as NumPy's own reader gives them."""

from io import BytesIO

import numpy as np
import pytest

from saecli.catalog.arrays import pack_signature, unpack_signature
from saecli.grid import CoarseMaps


def maps(n_columns: int) -> CoarseMaps:
    rng = np.random.default_rng(0)
    column = np.concatenate([np.sort(rng.choice(n_columns, 7, replace=False)) for _ in range(5)])
    return CoarseMaps(
        images=np.arange(3) * 2,
        n_cells=16,
        start=np.arange(6) * 7,
        column=column.astype(np.uint16 if n_columns <= 2**16 else np.uint32),
        value=rng.random(35).astype(np.float16),
    )


@pytest.mark.parametrize("n_columns", [48, 200_000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_both_parts_come_back_whatever_their_order_in_memory(order, n_columns):
    maxima = np.random.default_rng(1).random((5, 9)).astype(np.float16, order=order)
    packed = pack_signature(maxima, maps(n_columns))
    found, coarse = unpack_signature(packed)
    np.testing.assert_array_equal(found, maxima)
    with np.load(BytesIO(packed)) as reference:
        np.testing.assert_array_equal(found, reference["maxima"])
        np.testing.assert_array_equal(coarse.value, reference["value"])
    expected = maps(n_columns)
    for name in ("images", "start", "column", "value"):
        np.testing.assert_array_equal(getattr(coarse, name), getattr(expected, name))
        assert getattr(coarse, name).dtype == getattr(expected, name).dtype
    assert coarse.n_cells == 16


@pytest.mark.parametrize("order", ["C", "F"])
def test_signatures_alone_come_back(order):
    maxima = np.random.default_rng(1).random((5, 9)).astype(np.float16, order=order)
    found, coarse = unpack_signature(pack_signature(maxima, None))
    np.testing.assert_array_equal(found, maxima)
    assert coarse is None
