"""Labels are found by their words, and an older one is never lost."""

from saecli.catalog.labels import add_label
from saecli.catalog.opening import open_catalog
from saecli.refs import parse_concept


def test_a_new_label_supersedes_the_old_one_and_both_stay(saecli_trained):
    first = saecli_trained.json("label", "clip:3", "blue wing", "--author", "ada")
    assert first == {"ref": "clip:3", "label": "blue wing", "number": first["number"]}
    saecli_trained.json("label", "clip:3", "blue bird", "--author", "ben", "--note", "also heads")
    shown = saecli_trained.json("show", "clip:3")
    assert shown["label"] == "blue bird"
    history = [(row["text"], row["author"], row["status"]) for row in shown["labels"]]
    assert history == [("blue bird", "ben", "current"), ("blue wing", "ada", "superseded")]
    assert all("created" in row for row in shown["labels"])


def test_search_finds_words_prefixes_and_phrases(saecli_trained):
    saecli_trained("label", "clip:3", "a blue wing", "--author", "ada")
    saecli_trained("label", "dinov2:5", "blue water", "--author", "ada")

    def refs(*words):
        return {row["ref"] for row in saecli_trained.json("search", *words)["results"]}

    assert refs("blue") == {"clip:3", "dinov2:5"}
    assert refs("wat*") == {"dinov2:5"}
    assert refs('"blue wing"') == {"clip:3"}
    assert refs("blue", "--dictionary", "clip") == {"clip:3"}
    assert refs("green") == set()


def test_search_takes_any_text(saecli_trained):
    saecli_trained("label", "clip:3", 'the "odd" [label] (🐦) AND * NOT', "--author", "ada")
    for words in ('"', "AND", "(", "[label]", "🐦", "a OR", "*", "-", "col:x"):
        outcome = saecli_trained("search", words, "--json")
        assert outcome.code == 0, outcome.err


def test_a_superseded_label_is_not_found(saecli_trained):
    saecli_trained("label", "clip:3", "walrus", "--author", "ada")
    saecli_trained("label", "clip:3", "seal", "--author", "ada")
    assert saecli_trained.json("search", "walrus")["results"] == []


def test_the_author_comes_from_the_environment(saecli_trained, monkeypatch):
    monkeypatch.setenv("SAECLI_AUTHOR", "grace")
    saecli_trained("label", "clip:3", "seal")
    assert saecli_trained.json("show", "clip:3")["labels"][0]["author"] == "grace"


def test_markup_in_a_label_is_shown_as_it_is(saecli_trained):
    saecli_trained("label", "clip:3", "[red]not red[/red]", "--author", "ada")
    assert "[red]not red[/red]" in saecli_trained("show", "clip:3").out


def test_labels_go_to_a_file_and_back(saecli_trained):
    saecli_trained("label", "clip:3", "wing", "--author", "ada")
    saecli_trained("label", "clip:3", "blue wing", "--author", "ada", "--confidence", 0.8)
    written = saecli_trained.json("labels", "export", "--out", "labels.csv")
    assert (written["n_labels"], written["dictionaries"]) == (2, ["clip"])
    assert saecli_trained("labels", "export", "--out", "labels.csv").code == 1
    only = saecli_trained.json("labels", "export", "--out", "now.jsonl", "--current")
    assert only["n_labels"] == 1
    taken = saecli_trained.json("labels", "import", "labels.csv", "--author", "eve")
    assert (taken["n_rows"], taken["n_added"], taken["n_known"]) == (2, 0, 2)
    (saecli_trained.folder / "list.csv").write_text("ref,text\nclip:3,tail\nnowhere:1,x\n")
    outcome = saecli_trained("labels", "import", "list.csv", "--author", "eve")
    assert outcome.code == 0
    assert "1 of 2 labels added" in outcome.out
    assert "Labels that differ" in outcome.out
    assert "line 3: there is no dictionary 'nowhere'" in outcome.out


def test_a_label_can_be_retired_and_rests_on_records(saecli_trained):
    saecli_trained("label", "clip:3", "wing", "--author", "ada")
    ended = saecli_trained.json("label", "clip:3", "--retire", "--author", "bob", "--note", "no")
    assert (ended["label"], ended["status"], ended["experiment"]) == ("wing", "retired", None)
    shown = saecli_trained.json("show", "clip:3")
    assert (shown["label"], shown["labels"][0]["status"]) == (None, "retired")
    assert saecli_trained("label", "clip:3", "x", "--retire").code == 2
    outcome = saecli_trained("label", "clip:3", "x", "--evidence", "experiment:9")
    assert "there is no experiment:9" in outcome.sentence
    assert saecli_trained("label", "clip:3", "x", "--evidence", "rumour:9").code == 2


def test_labels_are_given_and_scored_by_a_clip(saecli_trained, monkeypatch):
    monkeypatch.setenv("SAECLI_CACHE", str(saecli_trained.folder / "cache"))
    (saecli_trained.folder / "words.txt").write_text("sand\nwater\n")
    done = saecli_trained.json("labels", "auto", "dinov2", "--vocabulary", "words.txt")
    assert (done["dictionary"], done["n_words"]) == ("dinov2", 2)
    assert done["n_labelled"] + done["n_without"] == 48
    assert saecli_trained("labels", "score").code == 2
    assert "no label holds" in saecli_trained("labels", "score", "dinov2:3").sentence
    saecli_trained.json("label", "dinov2:3", "sand", "--author", "ada")
    outcome = saecli_trained("labels", "score", "dinov2:3")
    assert outcome.code == 0, outcome.err
    scores = saecli_trained.json("labels", "score", "--dictionary", "dinov2")["scores"]
    (row,) = [one for one in scores if one["kind"] == "person"]
    assert (row["ref"], row["label"], row["author"]) == ("dinov2:3", "sand", "ada")
    assert (row["auroc"] is None) == (row["reason"] is not None)


def test_a_search_finds_automatic_labels_and_keeps_them_apart(saecli_trained):
    path = saecli_trained.folder / "catalog.db"
    auto = {"author": "clip-zero-shot 1", "kind": "labeller"}
    with (
        open_catalog(path, write=True) as catalog,
        catalog.begin("labels auto", []) as invocation,
        catalog.writing() as session,
    ):
        for ref in ("clip:3", "clip:4"):
            add_label(session, invocation.id, parse_concept(ref), "a blue wing", **auto)
    saecli_trained.json("label", "clip:3", "a wing", "--author", "ada")
    found = {row["ref"]: row for row in saecli_trained.json("search", "wing")["results"]}
    assert (found["clip:3"]["label"], found["clip:4"]["label"]) == ("a wing", None)
    assert {row["automatic_label"] for row in found.values()} == {"a blue wing"}
    assert "a blue wing (automatic)" in saecli_trained("search", "blue").out
    assert saecli_trained.json("show", "clip:4")["label"] is None
