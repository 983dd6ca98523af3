"""Catalogs are merged and looked after by their commands."""


def test_a_merge_brings_labels_and_tells_what_differs(saecli_trained):
    folder = saecli_trained.folder
    (folder / "theirs").mkdir()
    saecli_trained.json("catalog", "backup", "theirs/catalog.db")
    theirs = ("--catalog", "theirs/catalog.db")
    saecli_trained.json("label", "clip:3", "a wing", "--author", "bob", *theirs)
    saecli_trained.json("label", "clip:4", "sand", "--author", "bob", *theirs)
    saecli_trained.json("label", "clip:3", "a tail", "--author", "ada")
    outcome = saecli_trained("catalog", "merge", "theirs/catalog.db")
    assert outcome.code == 0, outcome.err
    assert "2 labels" in outcome.out
    assert "Labels that differ" in outcome.out
    done = saecli_trained.json("catalog", "merge", "theirs/catalog.db")
    assert set(done["added"].values()) == {0}
    assert [one["ref"] for one in done["conflicts"]] == ["clip:3"]
    saecli_trained.json("label", "clip:3", "a blue tail", "--author", "eve")
    assert saecli_trained.json("catalog", "merge", "theirs/catalog.db")["conflicts"] == []
    assert saecli_trained.json("catalog", "check")["ok"]


def test_a_merge_into_nothing_makes_a_catalog(saecli_trained):
    done = saecli_trained.json("catalog", "merge", "catalog.db", "--catalog", "new.db")
    assert done["added"]["dictionaries"] >= 2
    listed = [saecli_trained.json("list", "--catalog", name) for name in ("catalog.db", "new.db")]
    assert listed[0]["dictionaries"] == listed[1]["dictionaries"]


def test_a_merge_with_nothing_makes_no_catalog(saecli_trained):
    outcome = saecli_trained("catalog", "merge", "nowhere.db", "--catalog", "new.db")
    assert outcome.code == 1
    assert "no catalog at" in outcome.sentence
    assert not (saecli_trained.folder / "new.db").exists()


def test_a_vacuum_says_what_it_gave_back(saecli_trained):
    done = saecli_trained.json("catalog", "vacuum")
    assert done["size_after"] <= done["size_before"]
    assert saecli_trained.json("catalog", "check")["ok"]
