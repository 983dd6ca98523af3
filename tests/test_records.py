"""A record's fields are its JSON keys, and every value is plain JSON."""

import json
from datetime import UTC, datetime
from pathlib import Path

from saecli.records import ClassProbability, Exemplar, ImageRef, as_json


def test_fields_become_keys_all_the_way_down():
    exemplar = Exemplar(ImageRef(3, "a/[b].png"), patch=7, activation=1.5)
    assert as_json([exemplar]) == [
        {"image": {"id": 3, "path": "a/[b].png"}, "patch": 7, "activation": 1.5}
    ]


def test_a_keyword_field_loses_its_underscore():
    assert as_json(ClassProbability("bee", 0.25)) == {"class": "bee", "probability": 0.25}


def test_what_json_cannot_hold_becomes_null_or_text():
    value = {"nan": float("nan"), "far": float("inf"), "at": Path("x"), 3: ()}
    plain = as_json(value | {"when": datetime(2026, 1, 2, tzinfo=UTC)})
    assert json.loads(json.dumps(plain, allow_nan=False)) == {
        "nan": None,
        "far": None,
        "at": "x",
        "3": [],
        "when": "2026-01-02T00:00:00+00:00",
    }
