"""The command line as its users meet it: help, exit codes, one sentence per failure."""

import contextlib
import errno
import inspect
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
import torch
import typer

from saecli import __version__
from saecli.cli import failures, loading
from saecli.cli.app import main
from saecli.cli.commands import COMMANDS, GROUPS
from saecli.errors import Interrupted, SaecliError


def shell(*args, **keywords):
    return subprocess.run(
        [sys.executable, "-m", "saecli", *args],
        text=True,
        timeout=60,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords},
    )


@pytest.fixture
def run(capsys):
    """Run a command line in this process: exit code, stdout, stderr."""

    def run_here(*args):
        code = main(args)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_here


# The table of commands


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_help_line_in_the_table_is_the_first_line_of_the_docstring(entry):
    function = loading.load(entry)
    assert inspect.getdoc(function).splitlines()[0] == entry.help


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_shows_its_help(entry, run):
    code, out, err = run(*entry.name.split(), "--help")
    assert (code, err) == (0, "")
    assert f"saecli {entry.name}" in out
    for option in ("--quiet", "--debug", "--help"):
        assert option in out


def test_the_help_lists_every_command_under_its_heading(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = run("--help")
    for entry in COMMANDS:
        if " " not in entry.name:
            assert re.search(rf"{entry.name} +{re.escape(entry.help)}", out)
            assert f"─ {entry.panel} ─" in out
    for name, (panel, line) in GROUPS.items():
        assert re.search(rf"{name} +{re.escape(line)}", out)
        assert f"─ {panel} ─" in out


def test_names_are_unique_and_every_group_has_commands():
    names = [entry.name for entry in COMMANDS]
    assert len(names) == len(set(names))
    assert {name.split()[0] for name in names if " " in name} == set(GROUPS)


# Options that everybody knows


def test_the_version_is_printed(run):
    assert run("--version") == (0, f"saecli {__version__}\n", "")


def test_nothing_at_all_shows_the_help_and_is_wrong_usage(run):
    code, out, err = run()
    assert code == 2
    assert "Usage: saecli" in out
    assert err == ""


@pytest.mark.parametrize(
    ("shell_name", "word"), [("bash", "complete -o default"), ("zsh", "compdef")]
)
def test_a_completion_script_is_printed(shell_name, word):
    # Typer's own switch: the shell that a test runs under may not be there to be detected.
    plain = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = shell("--show-completion", shell_name, env=plain)
    assert done.returncode == 0
    assert "saecli" in done.stdout


def test_the_shell_completes_commands_and_options():
    def complete(words, position):
        environment = {
            **os.environ,
            "_SAECLI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(position),
        }
        return shell(env=environment).stdout.split()

    assert "train" in complete("saecli tr", 1)
    assert "--device" in complete("saecli train --dev", 2)


def test_colour_is_left_out_where_it_is_not_wanted():
    plain = shell("--help", env={**os.environ, "FORCE_COLOR": "1", "NO_COLOR": "1"})
    coloured = shell("--help", env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", plain.stdout)
    assert re.search(r"\x1b\[[0-9;]*3[0-7]", coloured.stdout)


@pytest.mark.parametrize("before", [True, False])
def test_quiet_leaves_only_the_result_wherever_it_stands(before, run, tmp_path):
    drawing = ["demo", "--out", str(tmp_path / "world"), "--n", "1"]
    loud = run(*drawing)
    assert loud[0] == 0
    assert "drawing" in loud[2]
    quiet = ["-q", *drawing] if before else [*drawing, "--quiet"]
    quiet[quiet.index(str(tmp_path / "world"))] = str(tmp_path / "other")
    code, out, err = run(*quiet)
    assert (code, err) == (0, "")
    assert "1 picture in" in out


# Failures: one sentence, the right exit code


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--bogus"], "no such option: --bogus; see 'saecli --help'"),
        (["trian"], "Did you mean 'train'?; see 'saecli --help'"),
        (["train", "--bogus"], "no such option: --bogus"),
        (["show"], "missing argument"),
        (["inspect", "a.png", "--patches", "9-3"], "write patches as 3,4,17 or 10-13"),
        (["inspect", "a.png", "--device", "gpu"], "'gpu' is no device; name one of"),
        (["inspect", "a.png", "--top", "0"], "'--top'"),
        (["probe"], None),
    ],
    ids=str,
)
def test_wrong_usage_is_one_sentence_and_exits_with_2(args, words, run):
    code, _, err = run(*args)
    assert code == 2
    if words is None:
        assert err == ""
    else:
        assert err.startswith("saecli: ")
        assert words in err
        assert err.count("\n") == 1


def test_a_failure_is_one_sentence_and_exits_with_1(run, tmp_path):
    code, out, err = run("list", "--catalog", str(tmp_path / "none.db"))
    assert (code, out) == (1, "")
    assert err.startswith("saecli: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("args", [["--debug", "list"], ["list", "--debug"]], ids=" ".join)
def test_debug_shows_the_traceback_before_the_sentence(args, run, tmp_path):
    code, _, err = run(*args, "--catalog", str(tmp_path / "none.db"))
    assert code == 1
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("saecli: ")
    # and it is forgotten by the next run
    assert "Traceback" not in run("list", "--catalog", str(tmp_path / "none.db"))[2]


def test_names_with_brackets_and_control_characters_stay_as_they_are_on_one_line(run, tmp_path):
    path = tmp_path / "[bold red]\x1b[31m\n.db"
    code, _, err = run("list", "--catalog", str(path))
    assert code == 1
    assert err.count("\n") == 1
    assert "[bold red]" in err
    assert "\x1b" not in err


class FullDisk(io.RawIOBase):
    """A file on a disk without room."""

    def writable(self):
        return True

    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("args", [["--version"], ["--help"]], ids=" ".join)
def test_a_full_disk_under_the_output_is_one_sentence(args, capsys, monkeypatch):
    full = io.TextIOWrapper(io.BufferedWriter(FullDisk()), encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        assert main(args) == 1
    err = capsys.readouterr().err
    assert err.startswith("saecli: the disk is full")
    assert err.count("\n") == 1
    with contextlib.suppress(OSError):
        full.close()


def test_a_reader_that_leaves_early_is_no_failure_to_speak_of():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = shell("--help", stdout=writing)
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_an_interrupt_is_one_sentence_and_exits_with_130(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "saecli", "demo", "--out", str(tmp_path / "w"), "--n", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "saecli: interrupted; run the command again"
    assert "Traceback" not in err


# From exceptions to sentences


def raised(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_error_of_ours_says_problem_and_remedy():
    assert failures.describe(SaecliError("no file 'a'", "name another")) == (
        "no file 'a'; name another",
        1,
    )
    assert failures.describe(SaecliError("a", "b", usage=True))[1] == 2


def test_an_interrupt_says_what_is_kept_in_the_words_of_its_command():
    own = Interrupted("stopped after 30 of 60 pictures", "run saecli rerun 4 to go on")
    assert failures.describe(own) == (str(own), 130)
    sentence, code = failures.describe(KeyboardInterrupt(), kept=True)
    assert code == 130
    assert "what was finished is kept" in sentence
    nothing = failures.describe(KeyboardInterrupt())
    assert nothing == ("interrupted; run the command again", 130)
    assert failures.describe(typer.Abort())[1] == 130


@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupt_says_that_something_is_kept_only_where_a_run_is_on_record(
    saecli_trained, monkeypatch, begun
):
    from saecli.cli import runs
    from saecli.workflows import inspect

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    if begun:
        monkeypatch.setattr(inspect, "inspect_image", interrupted)
    else:
        monkeypatch.setattr(runs, "recorded", interrupted)
    outcome = saecli_trained("inspect", "a.png")
    assert outcome.code == 130
    assert ("what was finished is kept" in outcome.sentence) == begun


def test_a_full_disk_is_told_from_other_failures_of_the_system(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "a.bin"))
    sentence, code = failures.describe(full)
    assert code == 1
    assert sentence.startswith(f"the disk is full (writing {tmp_path / 'a.bin'})")
    missing = raised((tmp_path / "none" / "a.bin").read_bytes)
    sentence, code = failures.describe(missing)
    assert code == 1
    assert sentence.startswith(f"{tmp_path / 'none' / 'a.bin'}: no such file or directory")


def test_a_full_database_is_a_full_disk_even_inside_another_error(tmp_path):
    with closing(sqlite3.connect(tmp_path / "small.db")) as small, small:
        small.execute("PRAGMA max_page_count = 2")
        small.execute("CREATE TABLE blob (bytes)")

        def fill():
            small.execute("INSERT INTO blob VALUES (zeroblob(100000))")

        def wrap():
            try:
                fill()
            except sqlite3.Error as error:
                raise RuntimeError("could not publish") from error

        assert failures.describe(raised(fill))[0].startswith("the disk is full")
        assert failures.describe(raised(wrap))[0].startswith("the disk is full")
    small.close()


@pytest.mark.parametrize(
    "ask",
    [lambda: np.empty(10**15), lambda: torch.empty(10**15), lambda: bytearray(10**17)],
    ids=["numpy", "torch", "python"],
)
def test_too_little_memory_names_what_to_make_smaller(ask):
    sentence, code = failures.describe(raised(ask))
    assert code == 1
    assert sentence.startswith("not enough memory")


def test_a_mistake_of_ours_says_so_and_how_to_see_more():
    error = TypeError("expected\nanother")
    assert failures.describe(error) == (
        "an error in saecli itself (TypeError: expected another); run again with --debug to see "
        "where",
        1,
    )
    assert "please report it" in failures.describe(error, traced=True)[0]


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_reader_that_has_seen_enough_is_no_failure(option, tmp_path):
    line = f"set -o pipefail; '{sys.executable}' -m saecli {option} | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def unread():
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_progress_that_nobody_reads_does_not_stop_the_work(unread, tmp_path):
    arguments = ("demo", "--out", "pictures", "--n", "3", "--json")
    done = shell(*arguments, cwd=tmp_path, stderr=unread)
    assert done.returncode == 0
    assert json.loads(done.stdout)["n"] == 3
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3


def test_a_result_that_nobody_reads_is_made_all_the_same(unread, tmp_path):
    done = shell(
        "demo", "--out", "pictures", "--n", "3", cwd=tmp_path, stdout=unread, stderr=unread
    )
    assert done.returncode == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3


def test_problems_that_nobody_reads_are_in_the_exit_code(unread, tmp_path):
    failed = shell("show", "clip", "--catalog", "none.db", cwd=tmp_path, stderr=unread)
    assert failed.returncode == 1
    assert failed.stdout == ""


def test_a_pipe_that_breaks_within_the_work_is_a_failure(run, monkeypatch):
    def broken(*args, **keywords):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("saecli.catalog.opening.open_catalog", broken)
    code, out, err = run("catalog", "info")
    assert (code, out) == (1, "")
    assert "Broken pipe" in err


def test_the_help_says_what_the_least_number_of_pictures_is_for(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for command in (("knockout",), ("hypothesis", "add")):
        _, out, _ = run(*command, "--help")
        told = " ".join(re.sub("[│\n]", " ", out).split())
        assert (
            "no experiment, with fewer without A no specificity: inconclusive; default: 20" in told
        )
