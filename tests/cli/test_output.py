"""Results on stdout: one JSON document, or one table that nothing cuts."""

import io
import json
import sys

import pytest
from rich.table import Table
from rich.text import Text

from saecli.cli import output
from saecli.records import LabelReport


def table_of(report):
    table = Table()
    table.add_column("ref")
    table.add_column("label")
    table.add_row(Text(report.ref), Text(report.label))
    return table


def test_json_is_one_document_with_the_fields_as_keys(capsys):
    def table(_):
        raise AssertionError("no table is made for JSON")

    output.emit(LabelReport("clip:12", "blue [bold] wing é", 3), as_json=True, table=table)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"ref": "clip:12", "label": "blue [bold] wing é", "number": 3}
    assert printed.err == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_can_be_written_in_any_encoding(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    output.emit(LabelReport("clip:12", "крыло \udce9", 3), as_json=True, table=table_of)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding))["label"] == "крыло \udce9"


def test_off_a_terminal_a_table_is_as_wide_as_its_content(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    words = "a label of many words " * 20
    output.emit(LabelReport("clip:12", words.strip(), 3), as_json=False, table=table_of)
    out = capsys.readouterr().out
    assert words.strip() in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_a_width_that_the_user_sets_is_kept(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    output.emit(LabelReport("clip:12", "word " * 40, 3), as_json=False, table=table_of)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_brackets_in_labels_are_no_markup(capsys):
    output.emit(LabelReport("clip:12", "[red]wing[/red]", 3), as_json=False, table=table_of)
    assert "[red]wing[/red]" in capsys.readouterr().out
