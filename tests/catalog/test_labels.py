import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from saecli.catalog.label_history import label_history
from saecli.catalog.label_search import match_expression, search_labels
from saecli.catalog.labels import (
    LONGEST,
    add_label,
    automatic_labels,
    close_label,
    current_labels,
)
from saecli.catalog.tables import Label
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import train


def label(catalog, content, ref, text, **details):
    with catalog.writing() as session:
        return add_label(
            session,
            content.invocation,
            parse_concept(ref),
            text,
            **{"author": "me", **details},
        )


def found(catalog, query, **options):
    with catalog.reading() as session:
        return [result.ref for result in search_labels(session, query, **options).results]


def test_a_label_is_kept_with_who_gave_it_and_why(catalog, content):
    report = label(
        catalog,
        content,
        "clip:3",
        "  blue\nwing ",
        author="zero-shot 1.2",
        note="not the tail",
        confidence=0.7,
        evidence={"experiment": 12},
    )
    assert (report.ref, report.label) == ("clip:3", "blue wing")
    with catalog.reading() as session:
        row = session.scalars(select(Label)).one()
        (shown,) = label_history(session, parse_concept("clip:3"))
    assert (row.confidence, row.evidence, row.invocation_id) == (
        0.7,
        {"experiment": 12},
        content.invocation,
    )
    assert (shown.number, shown.text, shown.author) == (report.number, "blue wing", "zero-shot 1.2")
    assert (shown.status, shown.note, shown.created) == ("current", "not the tail", row.created)


def test_a_new_label_supersedes_and_the_history_keeps_all(catalog, content):
    for text in ("wing", "blue wing", "blue or grey wing"):
        label(catalog, content, "clip:3", text)
    with catalog.reading() as session:
        history = label_history(session, parse_concept("clip:3"))
        assert [(row.text, row.status) for row in history] == [
            ("blue or grey wing", "current"),
            ("blue wing", "superseded"),
            ("wing", "superseded"),
        ]
        assert current_labels(session, content.clip) == {3: "blue or grey wing"}
        assert current_labels(session, content.clip, [2, 3]) == {3: "blue or grey wing"}
        assert label_history(session, parse_concept("clip:4")) == []


def test_a_refuted_label_no_longer_holds_until_a_new_one_is_given(catalog, content):
    label(catalog, content, "clip:3", "wing")
    with catalog.writing() as session:
        closed = close_label(
            session, content.invocation, parse_concept("clip:3"), status="refuted", author="me"
        )
        assert (closed.text, closed.status) == ("wing", "refuted")
    with catalog.writing() as session:
        assert current_labels(session, content.clip) == {}
        with pytest.raises(SaecliError, match=r"clip:3 has no current label; give it one"):
            close_label(
                session, content.invocation, parse_concept("clip:3"), status="retired", author="me"
            )
    label(catalog, content, "clip:3", "tail")
    with catalog.reading() as session:
        assert current_labels(session, content.clip) == {3: "tail"}
        history = label_history(session, parse_concept("clip:3"))
        assert [row.status for row in history] == ["current", "refuted"]


def test_rows_are_only_added(catalog, content):
    label(catalog, content, "clip:3", "wing")
    for statement in (update(Label).values(text="tail"), delete(Label)):
        with pytest.raises(IntegrityError, match="labels are only added"), catalog.writing() as s:
            s.execute(statement)


def test_a_labeller_never_takes_a_persons_place_nor_the_other_way_round(catalog, content):
    auto = {"author": "zero-shot 1", "kind": "labeller"}
    label(catalog, content, "clip:3", "a wing", **auto)
    label(catalog, content, "clip:3", "wing")
    label(catalog, content, "clip:3", "a blue wing", **(auto | {"author": "zero-shot 2"}))
    label(catalog, content, "clip:3", "feathers", **(auto | {"author": "other 1"}))
    label(catalog, content, "clip:3", "blue wing")
    with catalog.reading() as session:
        history = label_history(session, parse_concept("clip:3"))
        assert {(row.text, row.kind, row.status) for row in history} == {
            ("a wing", "labeller", "superseded"),
            ("a blue wing", "labeller", "current"),
            ("feathers", "labeller", "current"),
            ("wing", "person", "superseded"),
            ("blue wing", "person", "current"),
        }
        assert current_labels(session, content.clip) == {3: "blue wing"}
        assert automatic_labels(session, content.clip) == {3: "feathers"}


def test_a_new_label_settles_what_two_people_said(catalog, content):
    first = label(catalog, content, "clip:3", "wing", author="ada")
    with catalog.writing() as session:  # as a merge leaves them
        row = session.get(Label, first.number)
        session.add(
            Label(
                uuid="b", latent_id=row.latent_id, text="tail", author="bob", kind="person",
                invocation_id=content.invocation,
            )
        )  # fmt: skip
    with catalog.reading() as session:
        assert current_labels(session, content.clip) == {3: "tail"}  # the newest
    label(catalog, content, "clip:3", "blue feathers", author="eve")
    with catalog.reading() as session:
        history = label_history(session, parse_concept("clip:3"))
        assert [(row.text, row.status) for row in history] == [
            ("blue feathers", "current"),
            ("tail", "superseded"),
            ("wing", "retired"),
        ]
        assert history[2].closing_note == f"label {history[0].number} took its place"


@pytest.mark.parametrize(
    ("details", "problem"),
    [
        ({"text": " \n\t"}, "the label is blank"),
        ({"text": "x" * (LONGEST + 1)}, "501 characters long"),
        ({"author": "  "}, "has no author"),
        ({"confidence": 1.5}, "confidence of 1.5 is no share"),
        ({"confidence": float("nan")}, "confidence of nan is no share"),
        ({"ref": "clip:24"}, "no latent clip:24"),
        ({"ref": "dino:2"}, "no dictionary 'dino'"),
    ],
)
def test_a_label_that_says_nothing_or_fits_nothing_is_refused(catalog, content, details, problem):
    values = {"ref": "clip:3", "text": "wing", **details}
    with pytest.raises(SaecliError, match=problem):
        label(catalog, content, values.pop("ref"), values.pop("text"), **values)
    with catalog.reading() as session:
        assert session.scalars(select(Label)).all() == []


def test_labels_are_found_by_words_their_beginnings_and_phrases(catalog, content):
    label(catalog, content, "clip:1", "blue wings of birds")
    label(catalog, content, "clip:2", "wings that are blue")
    label(catalog, content, "clip:3", "Café by the sea")
    assert set(found(catalog, "blue")) == {"clip:1", "clip:2"}
    assert set(found(catalog, "BLUE wing")) == {"clip:1", "clip:2"}
    assert found(catalog, "wi bir") == ["clip:1"]
    assert found(catalog, '"blue wings"') == ["clip:1"]
    assert found(catalog, '"blue wings" "of birds"') == ["clip:1"]
    assert found(catalog, "cafe") == ["clip:3"]
    assert found(catalog, "blue cafe") == []


def test_the_best_match_comes_first(catalog, content):
    label(catalog, content, "clip:1", "sand beside water beside grass beside rock")
    label(catalog, content, "clip:2", "sand and more sand")
    for i in range(4, 9):
        label(catalog, content, f"clip:{i}", "something else")
    with catalog.reading() as session:
        results = search_labels(session, "sand").results
    assert [result.ref for result in results] == ["clip:2", "clip:1"]
    assert results[0].score > results[1].score > 0
    assert len(results[0].exemplars) == 4
    assert found(catalog, "sand", top=1) == ["clip:2"]


def test_only_labels_that_hold_are_found(catalog, content):
    label(catalog, content, "clip:1", "wing")
    label(catalog, content, "clip:1", "tail")
    assert found(catalog, "wing") == []
    assert found(catalog, "tail") == ["clip:1"]


def test_search_can_keep_to_one_dictionary(catalog, content):
    train(catalog, content.invocation, content.backbone, "other", b"other")
    label(catalog, content, "clip:1", "wing")
    label(catalog, content, "other:1", "wing")
    assert found(catalog, "wing") == ["clip:1", "other:1"]
    assert found(catalog, "wing", dictionary="other") == ["other:1"]
    with pytest.raises(SaecliError, match="no dictionary 'x'"):
        found(catalog, "wing", dictionary="x")


def test_what_has_no_words_or_no_spaces_is_found_as_it_stands(catalog, content):
    label(catalog, content, "clip:1", "a bird 🐦 on sand")
    label(catalog, content, "clip:2", "青い鳥の翼")
    label(catalog, content, "clip:3", "100% sky [blue]")
    assert found(catalog, "🐦") == ["clip:1"]
    assert found(catalog, "鳥") == ["clip:2"]
    assert found(catalog, "%") == ["clip:3"]
    assert found(catalog, "[blue]") == ["clip:3"]
    assert found(catalog, "🐟") == []
    assert found(catalog, "  ") == []
    assert found(catalog, '"') == []


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.text(max_size=20),
        st.lists(
            st.sampled_from(
                ['"', "'", "AND", "OR", "NOT", "NEAR(", ")", "*", "^", "text:", "-", "wing", ";--"]
            ),
            max_size=6,
        ).map(" ".join),
    )
)
def test_no_text_breaks_the_search(catalog, query):
    assert isinstance(found(catalog, query), list)


def test_operators_are_words_like_any_other(catalog, content):
    label(catalog, content, "clip:1", "neither sand nor water")
    assert found(catalog, "sand OR gravel") == []
    assert found(catalog, "NOT sand") == []
    assert found(catalog, "nor AND") == []
    assert match_expression('blue "on  sand" x*') == '"blue"* AND "on sand" AND "x"*'
