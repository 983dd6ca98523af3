"""What is installed from the wheel works by itself, outside the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def saecli(wheel, tmp_path_factory):
    """The console script of a fresh environment; its dependencies are this environment's."""
    home = tmp_path_factory.mktemp("env")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [python, "-m", "pip", "install", "--no-deps", "--no-index", "--force-reinstall", wheel],
        check=True,
        capture_output=True,
    )
    where = subprocess.run(
        [python, "-c", "import saecli; print(saecli.__file__)"],
        cwd=home,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert where.startswith(site)
    return home / "bin" / "saecli"


def test_the_wheel_carries_migrations_backbones_and_types(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "saecli/migrations/env.py",
        "saecli/demo/models/fieldguide-clip/open_clip_config.json",
        "saecli/demo/models/fieldguide-dinov2/config.json",
        "saecli/py.typed",
    ):
        assert wanted in names
    assert any(name.startswith("saecli/migrations/versions/") for name in names)
    assert not any(name.startswith("tests/") for name in names)


def test_the_smallest_training_runs_outside_the_checkout(saecli, tmp_path):
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "SAECLI_CATALOG")
    }
    train = [saecli, "train", "--n-images", "60", "--n-patches", "20k"]
    subprocess.run(train, cwd=tmp_path, env=environment, check=True, capture_output=True)
    listed = subprocess.run(
        [saecli, "list", "--json"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    names = {row["name"] for row in json.loads(listed.stdout)["dictionaries"]}
    assert names == {"clip", "dinov2"}
