"""Catalogs of every earlier schema are upgraded and then used. `tests/data/schema1.db` was made by
`tests.catalog.content.fill` and the public functions of its day: `clip:3` labelled twice, `clip:4`
refuted by an experiment, `clip:5` retired."""

import shutil
from pathlib import Path

import pytest

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.label_history import label_history
from saecli.catalog.label_search import search_labels
from saecli.catalog.labels import add_label, current_labels
from saecli.catalog.maintenance import check, upgrade
from saecli.catalog.opening import open_catalog
from saecli.errors import SaecliError
from saecli.refs import parse_concept

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def upgraded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(DATA / "schema1.db", "catalog.db")
    Path("catalog.db").chmod(0o644)
    with pytest.raises(SaecliError, match=r"your catalog is older \(schema 1\)"):
        open_catalog()
    assert upgrade().from_schema == 1
    with open_catalog(write=True) as catalog:
        yield catalog


def test_labels_of_the_first_schema_keep_their_history(upgraded):
    with upgraded.reading() as session:
        assert check(session).ok
        assert current_labels(session, get_dictionary(session, "clip")) == {3: "blue wing"}
        rows = {i: label_history(session, parse_concept(f"clip:{i}")) for i in (3, 4, 5)}
    assert [(row.text, row.status, row.kind) for row in rows[3]] == [
        ("blue wing", "current", "person"),
        ("wing", "superseded", "person"),
    ]
    assert (rows[3][0].confidence, rows[3][0].note) == (0.7, "not the tail")
    assert [(row.status, row.refuted_by) for row in rows[4]] == [("refuted", 1)]
    assert [row.status for row in rows[5]] == ["retired"]


def test_an_upgraded_catalog_takes_and_finds_labels(upgraded):
    with upgraded.begin("label", []) as invocation, upgraded.writing() as session:
        add_label(session, invocation.id, parse_concept("clip:4"), "yellow sand", author="eve")
    with upgraded.reading() as session:
        for words, ref in (("yell", "clip:4"), ("blue", "clip:3")):
            assert [found.ref for found in search_labels(session, words).results] == [ref]
