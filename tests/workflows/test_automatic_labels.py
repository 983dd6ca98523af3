"""Automatic labels and scores on a catalog with a tiny CLIP: real steps, small figures."""

import shutil

import numpy as np
import pytest
from sqlalchemy import select

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.label_history import label_history
from saecli.catalog.label_scores import standing_labels
from saecli.catalog.labels import add_label, automatic_labels, current_labels
from saecli.catalog.opening import open_catalog
from saecli.catalog.tables import Label
from saecli.errors import SaecliError
from saecli.progress import SILENT
from saecli.refs import parse_concept
from saecli.search.held_out import HeldOutSettings
from saecli.search.vocabulary import WordRule
from saecli.workflows.label_evidence import embed_labels, open_clip_reader, see_pictures
from saecli.workflows.labeller import NAME, label_automatically, read_vocabulary
from saecli.workflows.scoring import score_labels

WORDS = ["sand", "water", "a blue wing", "snow"]
ANY = WordRule(least_active=1, least_r=0, level=len(WORDS) + 1)
FEW = HeldOutSettings(least=2)


@pytest.fixture
def catalog(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("SAECLI_CACHE", str(tmp_path / "cache"))
    shutil.copytree(trained, tmp_path / "here")
    with open_catalog(tmp_path / "here" / "catalog.db", write=True) as opened:
        yield opened


def auto(catalog, dictionary="dinov2", words=WORDS, **options):
    with catalog.begin("labels auto", []) as invocation:
        return label_automatically(
            catalog,
            invocation,
            dictionary,
            vocabulary="words.txt",
            words=words,
            **{"clip": None, "rule": ANY, "device": "cpu", "progress": SILENT, **options},
        )


def scored(catalog, concepts=(), dictionary=None, settings=FEW):
    with catalog.begin("labels score", []) as invocation:
        return score_labels(
            catalog,
            invocation,
            [parse_concept(one) for one in concepts],
            dictionary,
            clip=None,
            settings=settings,
            device="cpu",
            progress=SILENT,
        )


def test_a_clip_labels_a_dictionary_of_another_backbone_beside_peoples_labels(catalog):
    with catalog.begin("label", []) as invocation, catalog.writing() as session:
        for index in range(48):
            concept = parse_concept(f"dinov2:{index}")
            add_label(session, invocation.id, concept, "my word", author="ada")
    report = auto(catalog)
    assert report.n_labelled == len(report.labels) > 5
    assert report.n_labelled + report.n_without == 48
    with catalog.reading() as session:
        info = get_dictionary(session, "dinov2")
        assert set(current_labels(session, info).values()) == {"my word"}
        found = automatic_labels(session, info)
        assert found == {int(one.ref.split(":")[1]): one.label for one in report.labels}
        row = session.scalars(select(Label).where(Label.kind == "labeller")).first()
        assert (row.author, row.evidence["n_words"]) == (NAME, 4)
        assert set(row.evidence) >= {"clip", "image_set", "vocabulary", "rule"}
        assert row.confidence == pytest.approx(report.labels[0].confidence, abs=1e-4)


def test_the_word_is_the_one_that_correlates_most_on_the_choosing_half(catalog):
    report = auto(catalog)
    backbone = open_clip_reader(catalog, None, "cpu", SILENT)
    with catalog.reading() as session:
        info = get_dictionary(session, "dinov2")
    seen = see_pictures(catalog, info, backbone, SILENT)
    assert 0 < seen.choosing.sum() < len(seen.choosing)
    likeness = embed_labels(backbone, WORDS) @ seen.embeddings.T
    for one in report.labels[:10]:
        own = seen.signatures[int(one.ref.split(":")[1])].astype(float)
        r = [np.corrcoef(own[seen.choosing], row[seen.choosing])[0, 1] for row in likeness]
        assert one.label == WORDS[int(np.argmax(r))]
        assert one.confidence == pytest.approx(max(r), abs=1e-6)


def test_the_same_words_again_change_nothing_and_others_supersede(catalog):
    first = auto(catalog)
    again = auto(catalog)
    assert (again.n_labelled, again.n_unchanged) == (0, first.n_labelled)
    auto(catalog, words=["Brazil"])
    with catalog.reading() as session:
        history = label_history(session, parse_concept(first.labels[0].ref))
    assert [(row.text, row.status) for row in history] == [
        ("Brazil", "current"),
        (first.labels[0].label, "superseded"),
    ]


def test_a_rule_that_no_word_meets_gives_none(catalog):
    report = auto(catalog, rule=WordRule(least_r=0.999))
    assert (report.n_labelled, report.n_without) == (0, 48)


def test_people_and_labellers_are_scored_and_the_score_is_kept(catalog):
    auto(catalog)
    with catalog.reading() as session:
        info = get_dictionary(session, "dinov2")
        chosen = next(iter(automatic_labels(session, info)))
    ref = f"dinov2:{chosen}"
    with catalog.begin("label", []) as invocation, catalog.writing() as session:
        add_label(session, invocation.id, parse_concept(ref), "sand", author="ada")
    report = scored(catalog, [ref])
    assert {(row.author, row.kind) for row in report.scores} == {
        ("ada", "person"),
        (NAME, "labeller"),
    }
    for row in report.scores:
        if row.auroc is None:
            assert row.reason in ("too_few_active", "too_few_silent")
            continue
        assert row.ci[0] <= row.auroc <= row.ci[1]
        with catalog.reading() as session:
            kept = {one.author: one.score for one in label_history(session, parse_concept(ref))}
        assert kept[row.author]["auroc"] == row.auroc
        assert kept[row.author]["judge"] == report.judge
    assert scored(catalog, [ref]).scores == report.scores


def test_a_whole_dictionary_is_scored_and_what_is_too_rare_says_so(catalog):
    auto(catalog, "clip")
    report = scored(catalog, dictionary="clip", settings=HeldOutSettings(least=10_000))
    with catalog.reading() as session:
        labels = standing_labels(session, get_dictionary(session, "clip"))
    assert [row.ref for row in report.scores] == [f"clip:{one.index}" for one in labels]
    assert {row.reason for row in report.scores} == {"too_few_active"}
    assert report.n_scored == 0


def test_what_has_no_label_is_told(catalog):
    with pytest.raises(SaecliError, match="no label holds"):
        scored(catalog, ["clip:3"])


def test_a_vocabulary_is_a_file_of_words_or_the_worlds(tmp_path):
    (tmp_path / "words.txt").write_text("\ufeffsand\n\n a  blue wing # not the tail\nsand\n")
    assert read_vocabulary(str(tmp_path / "words.txt")) == ["sand", "a blue wing"]
    assert {"sand", "blue jay", "Brazil", "a blue wing"} <= set(read_vocabulary("fieldguide"))
    (tmp_path / "none.txt").write_text("# nothing\n")
    with pytest.raises(SaecliError, match="is empty"):
        read_vocabulary(str(tmp_path / "none.txt"))
    with pytest.raises(SaecliError, match="can't be read"):
        read_vocabulary(str(tmp_path / "nowhere.txt"))
