"""What several test modules share: a small world with two trained dictionaries in a catalog."""

import os
import shutil
import signal
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# One thread a process: several workers on few cores would wait for one another at every product.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("SAECLI_CATALOG", None)
os.environ.pop("COLUMNS", None)  # tables are as wide as they are, unless a test says otherwise
# A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

from tests.commands import Saecli  # noqa: E402


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> dict[str, Path]:
    """Folders of a tiny CLIP and a tiny DINOv2, random but real, by family."""
    from tests.models import write_tiny_clip, write_tiny_dinov2

    folder = tmp_path_factory.mktemp("models")
    return {
        "clip": write_tiny_clip(folder / "clip"),
        "dinov2": write_tiny_dinov2(folder / "dinov2", seed=1),
    }


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of 40 pictures of the built-in world, with masks and labels."""
    from saecli.demo.writing import write_pictures

    folder = tmp_path_factory.mktemp("pictures") / "world"
    write_pictures(folder, 40, 7)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory, models, pictures) -> Path:
    """A folder whose catalog.db holds dictionaries `clip` and `dinov2`; copied, never changed."""
    from saecli.cli.app import main

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for family, model in models.items():
            args = ["train", "--backbone", f"{family}:{model}", "--images", str(pictures)]
            args += ["--name", family, "--latents", "48", "--k", "4", "--n-patches", "4000"]
            assert main([*args, "--batch", "256", "--layer", "1", "-q"]) == 0
    return folder


@pytest.fixture
def saecli(tmp_path, monkeypatch, capsys) -> Saecli:
    """saecli in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    return Saecli(folder, monkeypatch, capsys)


@pytest.fixture
def saecli_trained(trained, tmp_path, monkeypatch, capsys) -> Saecli:
    """saecli in a folder with a copy of the trained catalog."""
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    return Saecli(folder, monkeypatch, capsys)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures and models; without it a `real` test says so and is left out."""
    named = os.environ.get("SAECLI_REAL_DATA")
    if not named:
        pytest.skip("SAECLI_REAL_DATA is not set: no real pictures to test on")
    return Path(named)
