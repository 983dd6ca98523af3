"""Every command that writes says in the catalog what it ran on, and with what."""

import json
import sqlite3
from contextlib import closing

import torch

from saecli.backbones import resolve_device


def invocations(saecli):
    """Settings and versions of the last run of each command."""
    with closing(sqlite3.connect(saecli.folder / "catalog.db")) as raw, raw:
        rows = raw.execute("select command, settings, versions from invocation order by id")
        return {name: (json.loads(told), json.loads(on)) for name, told, on in rows}


def test_threads_and_the_device_that_auto_came_to_are_recorded(saecli_trained, pictures):
    saecli_trained("inspect", pictures / "000003.png", "--patches", "3")
    saecli_trained("profile", "clip", "--images", pictures, "--cache", "5MB", "--seed", "3")
    found = invocations(saecli_trained)
    assert set(found) == {"train", "inspect", "profile"}
    for _, versions in found.values():
        assert versions["threads"] == str(torch.get_num_threads())
        assert versions["device"] == resolve_device("auto")
    settings = found["profile"][0]
    assert (settings["cache"], settings["seed"], settings["n_exemplars"]) == (5_000_000, 3, 16)


def test_a_failed_run_is_recorded_with_its_sentence(saecli_trained, pictures):
    outcome = saecli_trained("inspect", pictures / "nowhere.png", "--device", "cpu")
    assert outcome.code == 1
    assert invocations(saecli_trained)["inspect"][0]["device"] == "cpu"
    with closing(sqlite3.connect(saecli_trained.folder / "catalog.db")) as raw, raw:
        query = "select status, problem from invocation where command = 'inspect'"
        ((status, problem),) = raw.execute(query)
    assert status == "failed"
    assert "nowhere.png" in problem


def test_a_dictionary_s_settings_hold_what_the_defaults_came_to(saecli_trained):
    with closing(sqlite3.connect(saecli_trained.folder / "catalog.db")) as raw, raw:
        rows = raw.execute("select settings from dictionary").fetchall()
    assert len(rows) == 2
    for (told,) in rows:
        settings = json.loads(told)
        assert settings["lr"] is None
        assert settings["plan"]["lr"] > 0
        assert settings["plan"]["n_steps"] == 4000 // 256
