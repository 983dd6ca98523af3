"""Under torchrun, recording and profiling split the images and end with what one process makes."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.commands import CHECKOUT

TABLES = ("latent_profile", "exemplar")


def together(folder, *args):
    """Run a command in two processes that torchrun starts."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "saecli", *map(str, args)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def profile_rows(path):
    """What a profile holds of each latent, as the catalog keeps it."""
    with closing(sqlite3.connect(path)) as raw:
        found = {}
        for table in TABLES:
            names = [row[1] for row in raw.execute(f"pragma table_info({table})")]
            kept = ", ".join(name for name in names if name not in ("id", "profile_id"))
            found[table] = sorted(raw.execute(f"select {kept} from {table}").fetchall(), key=repr)
        assert all(found.values())
        return found


@pytest.mark.slow
def test_two_processes_record_and_profile_what_one_does(saecli_trained, models, pictures):
    folder = saecli_trained.folder
    args = ("record", "--backbone", f"dinov2:{models['dinov2']}", "--images", pictures)
    args = (*args, "--layers", "0,1", "--shard-size", "10KB")
    assert saecli_trained(*args, "--out", "one").code == 0
    found = together(folder, *args, "--out", "two", "--json")
    assert found["n_images"] == 40
    assert found["n_shards"] == 5
    for path in (folder / "one").rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            other = folder / "two" / path.relative_to(folder / "one")
            assert other.read_bytes() == path.read_bytes()
    assert saecli_trained.json("doctor", "two")["ok"]

    shutil.copy(folder / "catalog.db", folder / "other.db")
    shutil.copytree(folder / "catalog.files", folder / "other.files")
    profile = ("profile", "dinov2", "--activations", "one")
    alone = saecli_trained.json(*profile)
    shared = together(folder, *profile, "--catalog", "other.db", "--json")
    assert {**alone, "seconds": 0} == {**shared, "seconds": 0}
    assert profile_rows(folder / "catalog.db") == profile_rows(folder / "other.db")
