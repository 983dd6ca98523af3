"""`saecli train` gives the same dictionary for the same seed, and loses nothing when stopped."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import CHECKOUT, run, start

SMALL = ("--latents", "32", "--k", "4", "--batch", "64", "--layer", "1")


def train_args(models, pictures, *more, family="dinov2", n_patches="3000"):
    backbone = f"{family}:{models[family]}"
    args = ("train", "--backbone", backbone, "--images", pictures, "--n-patches", n_patches)
    return [*args, *SMALL, *more]


def digest(saecli, catalog, name="a"):
    """The hash of the checkpoint of a catalog's dictionary."""
    args = ("export", name, "--out", "a.st", "--force", "--catalog", catalog)
    return saecli.json(*args)["sha256"]


def test_the_document_has_the_keys_that_programs_rely_on(saecli, models, pictures):
    found = saecli.json(*train_args(models, pictures, "--name", "a"))
    (row,) = found["dictionaries"]
    assert {
        *("name", "explained_variance", "l0", "dead_fraction", "n_latents"),
        *("patches_seen", "seconds", "patches_per_second"),
    } <= set(row)
    assert row["name"] == "a"
    assert row["n_latents"] == 32
    assert row["patches_seen"] == 3000 // 64 * 64
    assert 0 < row["explained_variance"] < 1
    assert saecli.json("show", "a:0")["density"] is not None  # it was profiled


def test_one_seed_gives_one_checkpoint_and_another_seed_another(saecli, models, pictures):
    for catalog, seed in (("1.db", 3), ("2.db", 3), ("3.db", 4)):
        more = ("--name", "a", "--seed", seed, "--catalog", catalog)
        assert saecli(*train_args(models, pictures, *more)).code == 0
    assert digest(saecli, "1.db") == digest(saecli, "2.db") != digest(saecli, "3.db")


def test_the_same_dictionary_does_not_get_two_names(saecli, models, pictures):
    assert saecli(*train_args(models, pictures, "--name", "a")).code == 0
    outcome = saecli(*train_args(models, pictures, "--name", "b"))
    assert outcome.code == 1
    assert "came out the same as 'a'" in outcome.sentence


def test_the_paper_s_objective_trains_too(saecli, models, pictures):
    found = saecli.json(
        *train_args(models, pictures, "--name", "a", "--objective", "relu", "--l1", "0.01")
    )
    assert found["dictionaries"][0]["explained_variance"] > 0
    assert saecli.json("list")["dictionaries"][0]["activation"] == "relu"


@pytest.mark.parametrize(
    ("objective", "activation"), [("batchtopk", "jumprelu"), ("jumprelu", "jumprelu")]
)
def test_objectives_with_thresholds_train_and_are_looked_through(
    saecli, models, pictures, objective, activation
):
    args = train_args(models, pictures, "--name", "a", "--objective", objective)
    assert saecli.json(*args)["dictionaries"][0]["l0"] > 0
    assert saecli.json("list")["dictionaries"][0]["activation"] == activation
    picture = pictures / "000001.png"
    assert saecli.json("inspect", picture, "--patches", "1", "--dictionary", "a")["latents"]


def test_nested_dictionaries_keep_their_widths(saecli, models, pictures):
    from saecli.sae.checkpoints import load

    outcome = saecli(*train_args(models, pictures, "--name", "a", "--prefixes", "8,16"))
    assert outcome.code == 0, outcome.err
    assert saecli("export", "a", "--out", "a.st").code == 0
    assert load(saecli.folder / "a.st").prefixes == (8, 16, 32)


def test_a_sweep_trains_every_combination_as_if_alone(saecli, models, pictures):
    sweep = ("--k", "2,4", "--latents", "32,48")
    found = saecli.json(*train_args(models, pictures, "--name", "a", *sweep))
    names = [row["name"] for row in found["dictionaries"]]
    assert names == ["a-32-k2", "a-32-k4", "a-48-k2", "a-48-k4"]
    assert [row["n_latents"] for row in found["dictionaries"]] == [32, 32, 48, 48]
    assert [row["name"] for row in saecli.json("list")["dictionaries"]] == names
    assert saecli.json("show", "a-48-k2:0")["density"] is not None  # each is profiled
    alone = ("--name", "a", "--catalog", "alone.db")
    assert saecli(*train_args(models, pictures, *alone)).code == 0
    assert digest(saecli, "alone.db") == digest(saecli, "catalog.db", "a-32-k4")


def test_a_dictionary_of_a_sweep_that_diverges_is_named_and_the_others_are_kept(
    saecli, models, pictures
):
    args = train_args(models, pictures, "--name", "a", "--lr", "0.001,1e30")
    found = saecli.json(*args)
    assert [row["name"] for row in found["dictionaries"]] == ["a-lr0.001"]
    (lost,) = found["diverged"]
    assert lost.startswith("a-lr1e30: training diverged by step")
    assert len(saecli.json("list")["dictionaries"]) == 1


def test_sweeps_that_cannot_be_meant_are_refused_before_anything_is_loaded(saecli):
    for options, words in (
        (("--k", "4,4"), "--k has 4 twice"),
        (("--k", "4,"), "a place without a value"),
        (("--lr", "0.1,x"), "'x' is no number"),
        (("--l1", "-1"), "'-1' is less than 0"),
        (("--objective", "relu", "--k", "4,8"), "no difference to relu"),
    ):
        outcome = saecli("train", "--backbone", "dinov2:nowhere", *options)
        assert outcome.code == 2, outcome.err
        assert words in outcome.err


def test_a_name_that_is_being_trained_is_refused(saecli, models, pictures):
    args = train_args(models, pictures, "--name", "a", n_patches="500k")
    process = start(saecli.folder, *args)
    wait_for_points(saecli.folder, process)
    outcome = saecli(*train_args(models, pictures, "--name", "a"))
    assert outcome.code == 1
    assert "another saecli is training 'a' in ./catalog.db right now" in outcome.sentence
    process.kill()  # whose name is free again
    process.communicate(timeout=60)
    assert saecli(*train_args(models, pictures, "--name", "a")).code == 0
    assert not list((saecli.folder / "catalog.files" / "runs").iterdir())


def test_tensorboard_gets_what_the_catalog_has(saecli, models, pictures):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    args = train_args(models, pictures, "--name", "a", "--tensorboard", "board", "--no-profile")
    assert saecli(*args).code == 0
    events = EventAccumulator(str(saecli.folder / "board" / "a"))
    events.Reload()
    with closing(sqlite3.connect(saecli.folder / "catalog.db")) as raw:
        rows = raw.execute("SELECT step, figures FROM training_point ORDER BY step").fetchall()
    for key in ("loss", "explained_variance", "l0"):
        found = [(event.step, event.value) for event in events.Scalars(key)]
        expected = [(step, json.loads(figures)[key]) for step, figures in rows]
        assert found == [(step, pytest.approx(value, rel=1e-5)) for step, value in expected]


def test_an_untrained_twin_is_marked_and_can_be_looked_through(saecli, models, pictures):
    saecli(*train_args(models, pictures, "--name", "a"))
    found = saecli.json(*train_args(models, pictures, "--untrained", "--name", "a-untrained"))
    assert found["dictionaries"][0]["name"] == "a-untrained"
    rows = {row["name"]: row["untrained"] for row in saecli.json("list")["dictionaries"]}
    assert rows == {"a": False, "a-untrained": True}
    picture = pictures / "000001.png"
    seen = saecli.json("inspect", picture, "--patches", "1", "--dictionary", "a-untrained")
    assert seen["latents"]


def wait_for_points(folder, process, least=5):
    """Until some training points are in the catalog."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "catalog.db").exists():
            with (
                closing(sqlite3.connect(f"file:{folder / 'catalog.db'}?mode=ro", uri=True)) as raw,
                raw,
            ):
                try:
                    (n,) = raw.execute("select count(*) from training_point").fetchone()
                except sqlite3.OperationalError:
                    n = 0
            if n >= least:
                return
        time.sleep(0.05)
    pytest.fail(f"no training points: {process.communicate()}")


def test_an_interrupted_training_is_invisible_and_resumes_to_the_same_dictionary(
    saecli, models, pictures
):
    args = train_args(models, pictures, "--name", "a", n_patches="100k")
    process = start(saecli.folder, *args)
    wait_for_points(saecli.folder, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "--resume" in err
    assert "Traceback" not in err
    assert saecli.json("list")["dictionaries"] == []
    resumed = run(saecli.folder, *args, "--resume")
    assert resumed.code == 0, resumed.err
    whole = run(saecli.folder, *args, "--catalog", "whole.db")
    assert whole.code == 0, whole.err
    assert digest(saecli, "catalog.db") == digest(saecli, "whole.db")
    assert not list((saecli.folder / "catalog.files" / "runs").iterdir())


def test_an_interrupted_profile_leaves_the_dictionary_and_no_half_of_a_profile(
    saecli, models, pictures, monkeypatch
):
    from saecli.profiling.encoding import Encoder

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "encode", interrupted)
        outcome = saecli(*train_args(models, pictures, "--name", "a"))
    assert outcome.code == 130
    assert "saecli profile a" in outcome.sentence
    assert saecli.json("show", "a:0")["density"] is None
    assert saecli.json("profile", "a", "--images", pictures)["n_images"] == 40
    assert saecli.json("show", "a:0")["density"] is not None


def test_a_full_disk_while_recording_leaves_nothing_half_written(
    saecli, models, pictures, monkeypatch
):
    real = os.fsync

    def full(descriptor):
        if "activations" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        outcome = saecli(*train_args(models, pictures, "--name", "a"))
    assert outcome.code == 1
    assert "disk is full" in outcome.sentence
    assert saecli.json("list")["dictionaries"] == []
    assert not [path for path in saecli.folder.rglob("*activations*/*") if path.is_file()]
    assert saecli(*train_args(models, pictures, "--name", "a")).code == 0


def test_the_second_command_finds_the_activations_recorded(saecli, models, pictures):
    first = saecli(*train_args(models, pictures, "--name", "a"))
    second = saecli(*train_args(models, pictures, "--name", "b"))
    assert "recording" in first.err
    assert "recording" not in second.err


def test_without_a_cache_the_backbone_runs_at_every_pass(saecli, models, pictures):
    outcome = saecli(*train_args(models, pictures, "--name", "a", "--cache", "0"))
    assert outcome.code == 0, outcome.err
    assert "more than --cache holds" in outcome.err
    assert not (saecli.folder / "catalog.files" / "activations").exists()


def test_quiet_says_nothing_but_the_result(saecli, models, pictures):
    outcome = saecli(*train_args(models, pictures, "--name", "a", "--quiet", "--json"))
    assert outcome.err == ""
    assert outcome.document["dictionaries"]


def torchrun(folder, n, *args):
    """Run saecli in n processes that train together."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    return subprocess.run(
        [*command, str(n), "-m", "saecli", *map(str, args)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.slow
def test_two_processes_train_one_dictionary_that_only_the_first_writes(saecli, models, pictures):
    done = torchrun(
        saecli.folder, 2, *train_args(models, pictures, "--name", "a", "--k", "2,4"), "--json"
    )
    assert done.returncode == 0, done.stderr
    together = json.loads(done.stdout)["dictionaries"]  # one document, of one process
    assert [row["name"] for row in saecli.json("list")["dictionaries"]] == ["a-k2", "a-k4"]
    alone = saecli.json(
        *train_args(models, pictures, "--name", "a", "--k", "2,4", "--catalog", "alone.db")
    )
    for mine, theirs in zip(together, alone["dictionaries"], strict=True):
        assert mine["explained_variance"] == pytest.approx(theirs["explained_variance"], abs=0.01)
        assert mine["patches_seen"] == theirs["patches_seen"]
    assert saecli.json("show", "a-k2:0")["density"] is not None


@pytest.mark.slow
def test_what_fails_in_several_processes_is_said_once(saecli, models, pictures):
    assert saecli(*train_args(models, pictures, "--name", "a")).code == 0
    done = torchrun(saecli.folder, 2, *train_args(models, pictures, "--name", "a"))
    assert done.returncode == 1
    assert done.stderr.count("has a dictionary 'a' already") == 1


@pytest.mark.slow
def test_a_training_killed_again_and_again_ends_with_the_same_dictionary(saecli, models, pictures):
    args = train_args(models, pictures, "--name", "a", n_patches="400k")
    for least in (0, 5, 30, 60):
        process = start(saecli.folder, *args, "--resume")
        wait_for_points(saecli.folder, process, least=least)
        process.kill()
        process.communicate(timeout=60)
    assert saecli.json("list")["dictionaries"] == []
    resumed = run(saecli.folder, *args, "--resume")
    assert resumed.code == 0, resumed.err
    whole = run(saecli.folder, *args, "--catalog", "whole.db")
    assert whole.code == 0, whole.err
    assert digest(saecli, "catalog.db") == digest(saecli, "whole.db")
    assert not list((saecli.folder / "catalog.files" / "runs").iterdir())
