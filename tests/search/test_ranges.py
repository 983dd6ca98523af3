"""Ranges as they are typed."""

import pytest

from saecli.errors import SaecliError
from saecli.search.ranges import parse_range

VALUES = [0.0, 0.5, 1.0, 2.0, 5.0, float("nan")]


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("0.5..2", [0.5, 1.0, 2.0]),
        ("..1", [0.0, 0.5, 1.0]),
        ("1..", [1.0, 2.0, 5.0]),
        (">1", [2.0, 5.0]),
        (">= 1", [1.0, 2.0, 5.0]),
        ("<1", [0.0, 0.5]),
        ("≤1", [0.0, 0.5, 1.0]),
        ("50%..100%", [0.5, 1.0]),
        ("50..100%", [0.5, 1.0]),
        (">50%", [1.0, 2.0, 5.0]),
        ("1e-1..1E0", [0.5, 1.0]),
        ("-1..0", [0.0]),
    ],
)
def test_a_range_holds_what_lies_within(text, within):
    kept = parse_range(text).holds(VALUES)
    assert [value for value, holds in zip(VALUES, kept, strict=True) if holds] == within


@pytest.mark.parametrize("text", ["", "..", "5", "2..1", ">", "a..b", "1-2", "> 5 6", "%", "nan.."])
def test_what_is_no_range_is_refused_as_wrong_usage(text):
    with pytest.raises(SaecliError) as caught:
        parse_range(text)
    assert caught.value.usage
