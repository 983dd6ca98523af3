"""Labels travel between catalogs: nothing is lost, nothing is taken twice, conflicts stay."""

import shutil
from dataclasses import replace

import pytest

from saecli.catalog.label_history import label_history
from saecli.catalog.label_intake import take_labels
from saecli.catalog.labels import add_label, close_label, current_labels
from saecli.catalog.opening import open_catalog
from saecli.catalog.portable_labels import PortableLabel, portable_labels
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from saecli.workflows.label_files import read_labels, write_labels


def label(catalog, content, ref, text, author="ada", **details):
    with catalog.writing() as session:
        return add_label(
            session, content.invocation, parse_concept(ref), text, author=author, **details
        )


def take(catalog, content, labels, author="importer"):
    with catalog.writing() as session:
        return take_labels(session, content.invocation, labels, author=author)


def carried(catalog, **options):
    with catalog.reading() as session:
        return portable_labels(session, **options)


def plain(labels):
    """What must be the same in two catalogs with the same labels."""
    return sorted((replace(label, line=0) for label in labels), key=lambda label: label.uuid)


@pytest.fixture
def other(stocked, tmp_path):
    """Another person's catalog with the same dictionary."""
    (tmp_path / "other").mkdir()
    shutil.copy(stocked[0], tmp_path / "other" / "catalog.db")
    with open_catalog(tmp_path / "other" / "catalog.db", write=True) as opened:
        yield opened


@pytest.fixture
def life(catalog, content):
    """Labels with a history: superseded, retired, automatic, with a confidence."""
    label(catalog, content, "clip:3", "wing")
    label(catalog, content, "clip:3", 'a "blue", wing\nor tail', confidence=0.1, note="line\nbreak")
    label(catalog, content, "clip:3", "feathers", author="zero-shot 1", kind="labeller")
    label(catalog, content, "clip:4", "sand", evidence={"experiment": ["u"]})
    with catalog.writing() as session:
        close_label(
            session, content.invocation, parse_concept("clip:4"), status="retired", author="bob"
        )
    return carried(catalog)


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_a_file_carries_all_of_a_labels_life(catalog, content, other, life, name, tmp_path):
    write_labels(tmp_path / name, life)
    intake = take(other, content, read_labels(tmp_path / name))
    assert (intake.n_added, intake.n_known, intake.n_closed) == (4, 0, 1)
    assert plain(carried(other)) == plain(life)
    with other.reading() as session:
        assert current_labels(session, content.clip) == {3: 'a "blue", wing or tail'}

    again = take(other, content, read_labels(tmp_path / name))
    assert (again.n_added, again.n_known, again.n_closed) == (0, 4, 0)
    assert plain(carried(other)) == plain(life)


def test_two_peoples_labels_are_the_same_set_whoever_takes_the_others(
    catalog, content, other, life
):
    label(other, content, "clip:3", "blue paint", author="bob")
    label(other, content, "clip:9", "sky", author="bob")
    here, there = carried(catalog), carried(other)
    intake = take(catalog, content, there)
    take(other, content, here)
    assert {(one.uuid, one.text, one.supersedes) for one in carried(catalog)} == {
        (one.uuid, one.text, one.supersedes) for one in carried(other)
    }
    assert [(one.ref, [(x.text, x.author) for x in one.labels]) for one in intake.conflicts] == [
        ("clip:3", [('a "blue", wing or tail', "ada"), ("blue paint", "bob")])
    ]
    with catalog.reading() as here, other.reading() as there:
        assert current_labels(here, content.clip) == current_labels(there, content.clip)


def test_what_both_superseded_keeps_both_successors(catalog, content, other):
    label(catalog, content, "clip:3", "wing")
    take(other, content, carried(catalog))
    label(catalog, content, "clip:3", "blue wing")
    label(other, content, "clip:3", "grey wing", author="bob")
    take(catalog, content, carried(other))
    with catalog.reading() as session:
        history = label_history(session, parse_concept("clip:3"))
    assert [(row.text, row.status) for row in history] == [
        ("grey wing", "current"),
        ("blue wing", "current"),
        ("wing", "superseded"),
    ]


def test_a_hand_made_list_is_taken_once_and_takes_the_place_of_its_authors_own(catalog, content):
    label(catalog, content, "clip:3", "wing", author="ada")
    label(catalog, content, "clip:4", "sand", author="bob")
    rows = [
        PortableLabel("clip:3", "blue wing", author="ada"),
        PortableLabel("clip:4", "beach"),
        PortableLabel("clip:5", "sky"),
    ]
    intake = take(catalog, content, rows, author="eve")
    assert (intake.n_added, [one.ref for one in intake.conflicts]) == (3, ["clip:4"])
    assert take(catalog, content, rows, author="eve").n_known == 3
    with catalog.reading() as session:
        history = label_history(session, parse_concept("clip:3"))
        assert [(row.text, row.status) for row in history] == [
            ("blue wing", "current"),
            ("wing", "superseded"),
        ]
        assert current_labels(session, content.clip) == {3: "blue wing", 4: "beach", 5: "sky"}


def test_a_row_edited_in_the_file_is_a_new_label_in_its_place(catalog, content, life):
    edited = [replace(one, text="gravel") if one.text == "wing" else one for one in life]
    for n_added in (1, 0):
        assert take(catalog, content, edited, author="eve").n_added == n_added
    with catalog.reading() as session:
        newest = label_history(session, parse_concept("clip:3"))[0]
        assert (newest.text, newest.author, newest.status) == ("gravel", "eve", "current")


def test_a_dictionary_is_known_by_its_hash_and_rows_that_fit_none_are_told(catalog, content, life):
    moved = [replace(one, ref=one.ref.replace("clip", "elsewhere"), uuid=None) for one in life]
    strange = [
        PortableLabel("clip:3", "x", dictionary="f" * 64, line=7),
        PortableLabel("nowhere:3", "x", line=8),
        PortableLabel("clip:24", "x", line=9),
    ]
    intake = take(catalog, content, [*moved, *strange])
    assert intake.n_known == 4
    assert [(one.line, one.reason) for one in intake.skipped] == [
        (7, "'clip' is another dictionary here"),
        (8, "there is no dictionary 'nowhere'"),
        (9, "'clip' has 24 latents, and no 24"),
    ]


def test_what_went_on_elsewhere_doesnt_hold_here(catalog, content, other, life):
    old = [one for one in life if one.text == "wing"]
    take(other, content, old)
    take(other, content, old)
    with other.reading() as session:
        assert current_labels(session, content.clip) == {}
        (row,) = label_history(session, parse_concept("clip:3"))
    assert (row.status, row.closing_note) == (
        "retired",
        "superseded in the catalog that it comes from",
    )


@pytest.mark.parametrize(
    ("name", "words", "problem"),
    [
        ("a.csv", "ref,label\n", "has no column 'text'"),
        ("a.csv", "ref,text\nclip:3,\n", "line 2 of .* is no label: it has no text"),
        ("a.csv", "ref,text\nclip,wing\n", "line 2 .* 'clip' is no latent reference"),
        ("a.csv", "ref,text,confidence\nclip:3,wing,2\n", "confidence of 2 is no share"),
        ("a.csv", "ref,text,kind\nclip:3,wing,robot\n", "'robot' is no kind of author"),
        ("a.csv", "ref,text,created\nclip:3,wing,yesterday\n", "Invalid isoformat"),
        ("a.csv", "ref,text,uuid\nclip:3,wing,abc\n", "badly formed"),
        ("a.csv", 'ref,text,evidence\nclip:3,wing,"{"\n', "it is no JSON"),
        ("a.jsonl", '{"ref": "clip:3", "text": "x"}\n[]\n', "line 2 .* it is no JSON object"),
        ("a.txt", "", "is no name of a CSV file"),
    ],
)
def test_a_file_that_is_none_is_told_by_its_line(tmp_path, name, words, problem):
    (tmp_path / name).write_text(words)
    with pytest.raises(SaecliError, match=problem):
        read_labels(tmp_path / name)


def test_tables_as_spreadsheets_save_them_are_read(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes("\ufeffref;text;mine\r\nclip:3;a wing, blue;1\r\n;;\r\n".encode())
    (row,) = read_labels(file)
    assert (row.ref, row.text, row.line) == ("clip:3", "a wing, blue", 2)
