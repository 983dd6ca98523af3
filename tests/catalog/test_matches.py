import pytest
from sqlalchemy import select

from saecli.catalog.labels import add_label
from saecli.catalog.matches import add_comparison, add_comparisons, latest_matches
from saecli.catalog.tables import Comparison
from saecli.errors import SaecliError
from saecli.records import CompareReport, Counterpart, MatchRow, OneWay
from saecli.refs import parse_concept
from tests.catalog.content import train


def report(scores: dict[str, float], counterpart=None) -> CompareReport:
    return CompareReport(
        source={"ref": "clip:3", "label": None},
        target="other",
        method="signature",
        matches=[
            MatchRow(ref, score, [score - 0.1, score + 0.1], 0.001, None, [])
            for ref, score in scores.items()
        ],
        counterpart=counterpart,
        reason=None if counterpart else "too_weak",
        untrained_score=None,
        beyond_untrained=None,
        n_images=30,
        n_active=25,
    )


def keep(catalog, content, found):
    with catalog.writing() as session:
        return add_comparison(
            session, content.invocation, found, image_set=content.photos, settings={"r0": 0.5}
        )


@pytest.fixture
def two(catalog, content):
    train(catalog, content.invocation, content.backbone, "other", b"other")
    return catalog


def test_a_latents_matches_are_those_of_its_newest_comparison(two, content):
    keep(two, content, report({"other:1": 0.8}))
    keep(two, content, report({"other:5": 0.9, "other:2": 0.4}, "other:5"))
    with two.writing() as session:
        add_label(session, content.invocation, parse_concept("other:5"), "sand", author="me")
    with two.reading() as session:
        found = latest_matches(session, parse_concept("clip:3"))
        assert latest_matches(session, parse_concept("clip:4")) == []
    assert [(match.ref, match.score, match.label) for match in found] == [
        ("other:5", 0.9, "sand"),
        ("other:2", 0.4, None),
    ]
    assert found[0].ci == [0.8, 1.0]
    assert found[0].p_value == 0.001
    assert [match.counterpart for match in found] == [True, False]


def test_a_match_that_is_no_counterpart_says_so(two, content):
    keep(two, content, report({"other:1": 0.3}))
    with two.reading() as session:
        (match,) = latest_matches(session, parse_concept("clip:3"))
    assert (match.counterpart, match.reason) == (False, "too_weak")


def test_a_match_that_does_not_exist_is_refused_whole(two, content):
    with pytest.raises(SaecliError, match="no latent other:99"):
        keep(two, content, report({"other:1": 0.8, "other:99": 0.1}))
    with two.reading() as session:
        assert latest_matches(session, parse_concept("clip:3")) == []


def way(*latents: Counterpart) -> OneWay:
    return OneWay("clip", "other", len(latents), 1, 0.5, None, list(latents), "signature", 30, None)


def keep_whole(catalog, content, found):
    with catalog.writing() as session:
        return add_comparisons(
            session,
            content.invocation,
            found,
            image_set=content.photos,
            settings={"r0": 0.5, "untrained": {"dictionary": "twin", "sha256": "a", "ref": None}},
            n_active=list(range(100, 124)),
        )


def test_a_comparison_of_whole_dictionaries_is_kept_latent_by_latent(two, content):
    found = way(
        Counterpart("clip:3", None, "other:5", 0.9, 0.01, True, None, 0.2, True),
        Counterpart("clip:7", None, "other:5", 0.4, 0.2, False, "not_significant", 0.3, None),
    )
    assert keep_whole(two, content, found) == 2
    with two.reading() as session:
        (third,), (seventh,) = (latest_matches(session, parse_concept(f"clip:{n}")) for n in (3, 7))
        rows = session.scalars(select(Comparison).order_by(Comparison.id)).all()
        kept = [
            (row.n_active, row.untrained_score, row.beyond_untrained, row.n_images) for row in rows
        ]
        settings = rows[0].settings
    assert (third.ref, third.score, third.p_value, third.ci) == ("other:5", 0.9, 0.01, None)
    assert (third.counterpart, third.reason) == (True, None)
    assert (seventh.counterpart, seventh.reason) == (False, "not_significant")
    assert kept == [(103, 0.2, True, 30), (107, 0.3, None, 30)]
    assert settings["whole"] is True
    assert settings["untrained"]["dictionary"] == "twin"


def test_one_latent_s_own_comparison_says_more_and_is_shown_first(two, content):
    keep(two, content, report({"other:5": 0.9, "other:2": 0.4}, "other:5"))
    whole = way(Counterpart("clip:3", None, "other:5", 0.9, 0.01, True, None))
    keep_whole(two, content, whole)
    with two.reading() as session:
        found = latest_matches(session, parse_concept("clip:3"))
    assert [match.ref for match in found] == ["other:5", "other:2"]
    assert found[0].ci == [0.8, 1.0]
