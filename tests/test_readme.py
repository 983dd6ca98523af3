"""The README keeps up with the code."""

import re
from pathlib import Path

import pytest

from saecli.cli.commands import COMMANDS

CHECKOUT = Path(__file__).resolve().parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_the_quick_start_is_two_commands():
    section = README.split("## Quick start")[1].split("\n## ")[0]
    blocks = re.findall(r"```\w*\n(.*?)```", section, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(lines) == 2
    assert lines[0].endswith("saecli train")
    assert "pytest" in lines[1]


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_stands_in_the_readme_with_its_help_line(entry):
    assert f"| `saecli {entry.name}` | {entry.help} |" in README


def test_every_picture_and_file_that_it_points_to_is_there():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert targets
    for target in targets:
        assert (CHECKOUT / target).exists(), target


def test_its_commands_exist():
    named = set(
        re.findall(r"(?:^\$? ?|`)saecli ([a-z]+)(?: ([a-z]+))?", README, flags=re.MULTILINE)
    )
    known = {entry.name for entry in COMMANDS}
    for first, second in named:
        assert (
            first in known
            or f"{first} {second}" in known
            or any(name.startswith(f"{first} ") for name in known)
        ), (first, second)
