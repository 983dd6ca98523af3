"""Many commands on one catalog at once: each waits its turn, and no row is lost."""

import sqlite3
from contextlib import closing

import pytest

from tests.commands import start

N_PROCESSES = 10


@pytest.mark.slow
def test_ten_label_while_one_profiles_and_another_merges(saecli_trained, pictures):
    folder = saecli_trained.folder
    (folder / "theirs").mkdir()
    saecli_trained.json("catalog", "backup", "theirs/catalog.db")
    theirs = ("--catalog", "theirs/catalog.db")
    saecli_trained.json("label", "clip:40", "their word", "--author", "them", *theirs)
    running = [start(folder, "profile", "clip", "--images", pictures, "--exemplars", 8, "-q")]
    running += [
        start(folder, "label", f"clip:{i % 3}", f"word {i}", "--author", f"author {i}", "-q")
        for i in range(N_PROCESSES)
    ]
    running.append(start(folder, "catalog", "merge", "theirs/catalog.db", "-q"))
    for process in running:
        _, problem = process.communicate(timeout=300)
        assert (process.returncode, problem) == (0, "")

    with closing(sqlite3.connect(folder / "catalog.db")) as raw:
        texts = {text for (text,) in raw.execute("SELECT text FROM label")}
        (n_current,) = raw.execute(
            "SELECT count(*) FROM label WHERE id NOT IN (SELECT supersedes_id FROM label "
            "WHERE supersedes_id IS NOT NULL) AND id NOT IN (SELECT label_id FROM label_closure)"
        ).fetchone()
        ended = raw.execute(
            "SELECT command, status, count(*) FROM invocation WHERE command IN "
            "('label', 'profile', 'catalog merge') GROUP BY 1, 2 ORDER BY 1"
        ).fetchall()
    assert texts == {*(f"word {i}" for i in range(N_PROCESSES)), "their word"}
    assert n_current == 4  # of each latent one
    assert ended == [
        ("catalog merge", "done", 1),
        ("label", "done", N_PROCESSES + 1),
        ("profile", "done", 1),
    ]
    assert saecli_trained.json("catalog", "check")["ok"]
