"""A record's fields are its JSON keys, and every value is plain JSON."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from saecli.records import (
    ClassProbability,
    Exemplar,
    HypothesisRow,
    ImageRef,
    KnockoutReport,
    LabelReport,
    as_json,
)
from saecli.records.reading import read


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


def test_a_stored_report_is_read_back_as_it_was():
    from tests.render.reports import knockout

    report = knockout()
    told = json.loads(json.dumps(as_json(report)))
    assert as_json(read(KnockoutReport, told)) == told
    assert read(KnockoutReport, told | {"newer": 1}).verdict == report.verdict


def test_whole_numbers_that_are_keys_are_read_back_as_numbers():
    row = HypothesisRow(
        *(3, "it does", True, None, ["clip:3"], {}, "a", None),
        *(datetime(2026, 1, 2, tzinfo=UTC), {4: "refuted", 5: None}),
    )
    assert read(HypothesisRow, json.loads(json.dumps(as_json(row)))) == row


def test_a_field_that_is_missing_has_its_default_or_is_an_error():
    from tests.render.reports import knockout

    told = as_json(knockout())
    told.pop("extras")
    assert read(KnockoutReport, told).extras == {}
    with pytest.raises(KeyError, match="number"):
        read(LabelReport, {"ref": "clip:3", "label": "a"})
