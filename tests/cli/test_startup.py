"""What a command does not import: the reason why `saecli --help` answers at once."""

import json
import os
import subprocess
import sys

import pytest

from saecli.catalog.opening import open_catalog

MODELS = ("torch", "torchvision", "open_clip", "transformers", "faiss", "sklearn", "scipy")
WORK = (
    *MODELS,
    "sqlalchemy",
    "alembic",
    "numpy",
    "PIL",
    "safetensors",
    "huggingface_hub",
    "saecli.catalog",
    "saecli.workflows",
    "saecli.render.tables",
)

RUN = """
import json, sys
from saecli.cli.app import main
code = main(json.loads(sys.argv[1]))
loaded = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
print("\\n" + json.dumps([code, loaded]), file=sys.stderr)
"""


def run(args, names, **environment):
    """The exit code of a command line in a fresh interpreter, and which of the names it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(args), json.dumps(names)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=True,
    )
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    return code, loaded


@pytest.mark.parametrize(
    ("args", "code"),
    [(["--help"], 0), (["-h"], 0), ([], 2), (["probe", "--help"], 0), (["nonsense"], 2)],
)
def test_listing_commands_loads_none_of_what_they_need(args, code):
    assert run(args, WORK) == (code, [])


def test_the_help_of_a_command_loads_no_model_library():
    assert run(["train", "--help"], MODELS) == (0, [])


def test_the_version_needs_not_even_rich():
    assert run(["--version"], (*WORK, "rich")) == (0, [])


def test_the_check_of_modules_notices_what_is_loaded():
    assert run(["--help"], ("typer", "rich", "saecli.cli.loading"))[1] == [
        "typer",
        "rich",
        "saecli.cli.loading",
    ]


@pytest.fixture(scope="module")
def empty_catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "catalog.db"
    with open_catalog(path, write=True, create=True):
        pass
    return path


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["list"], 0),
        (["list", "--json"], 0),
        (["search", "wing"], 0),
        (["show", "clip:1"], 1),
        (["label", "clip:1", "blue wing", "--author", "test"], 1),
    ],
    ids=str,
)
def test_commands_on_the_catalog_alone_load_no_model_library(args, code, empty_catalog):
    assert run([*args, "--catalog", str(empty_catalog)], MODELS) == (code, [])
