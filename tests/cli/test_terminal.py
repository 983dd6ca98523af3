"""Progress and notes: on stderr only, at a low rate off a terminal, silent when asked."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.console import Console

from saecli.cli import terminal
from saecli.cli.bars import Bars
from saecli.cli.lines import Lines
from saecli.progress import SILENT

STEPS = """
import sys, time
from saecli.cli import terminal
progress = terminal.progress()
progress.say("backbone [bold]x")
with progress.task("recording", 40, "images") as task:
    for _ in range(40):
        time.sleep(0.01)
        task.advance(1, "EV 0.91")
print("the result")
"""


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def stop_at_three_of_ten(progress):
    with progress.task("recording", 10, "images") as task:
        task.advance(3)
        raise KeyboardInterrupt


@pytest.fixture
def lines():
    stream, clock = io.StringIO(), Clock()
    return Lines(stream, every=10.0, clock=clock), stream, clock


@pytest.mark.parametrize(
    ("unit", "one"),
    [("images", "1 image"), ("patches", "1 patch"), ("strata", "1 stratum"), ("files", "1 file")],
)
def test_one_is_no_plural(lines, unit, one):
    progress, stream, _ = lines
    with progress.task("reading", 1, unit) as task:
        task.advance()
    assert stream.getvalue() == f"reading: {one} in 0 s\n"
    with pytest.raises(ValueError, match="x"), progress.task("reading", 1, unit):
        raise ValueError("x")
    assert stream.getvalue().endswith(f"reading: stopped at 0/{one}\n")


def test_lines_come_every_ten_seconds_and_at_the_end_of_a_step(lines):
    progress, stream, clock = lines
    with progress.task("recording", 4000, "images") as task:
        for _ in range(100):
            clock.now += 0.5
            task.advance(40, "EV 0.91")
    written = stream.getvalue().splitlines()
    assert written == [
        "recording: 800/4,000 images (20%), 80.0/s, 40 s left, EV 0.91",
        "recording: 1,600/4,000 images (40%), 80.0/s, 30 s left, EV 0.91",
        "recording: 2,400/4,000 images (60%), 80.0/s, 20 s left, EV 0.91",
        "recording: 3,200/4,000 images (80%), 80.0/s, 10 s left, EV 0.91",
        "recording: 4,000 images in 50 s (80.0/s), EV 0.91",
    ]


def test_a_step_of_unknown_length_counts_without_a_share(lines):
    progress, stream, clock = lines
    with progress.task("reading", None, "rows") as task:
        clock.now += 20
        task.advance(1000)
    assert stream.getvalue().splitlines() == [
        "reading: 1,000 rows, 50.0/s",
        "reading: 1,000 rows in 20 s (50.0/s)",
    ]


def test_a_step_that_fails_says_where_it_stopped(lines):
    progress, stream, _ = lines

    with pytest.raises(KeyboardInterrupt):
        stop_at_three_of_ten(progress)
    assert stream.getvalue() == "recording: stopped at 3/10 images\n"


def test_bars_show_count_rate_and_note_and_leave_names_with_brackets_alone():
    stream = io.StringIO()
    progress = Bars(Console(file=stream, force_terminal=True, width=110, color_system=None))
    progress.say("pictures/[bold].png")
    with progress.task("recording", 4, "images") as outer:
        with progress.task("[red]", None, "rows") as inner:
            inner.advance(7, "note")
        outer.advance(4, "EV 0.91")
    shown = stream.getvalue()
    assert "pictures/[bold].png" in shown
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).splitlines()[-2:]
    assert re.match(r"recording +━+ +4 images +\S+/s +in 0 s EV 0\.91", last[0].strip())
    assert re.match(r"\[red\] +━+ +7 rows +\S+/s +in 0 s note", last[1].strip())


def test_a_bar_that_fails_says_that_it_stopped():
    stream = io.StringIO()
    progress = Bars(Console(file=stream, force_terminal=True, width=110, color_system=None))

    with pytest.raises(KeyboardInterrupt):
        stop_at_three_of_ten(progress)
    assert "3/10 images" in stream.getvalue()
    assert "stopped" in stream.getvalue()


def test_off_a_terminal_progress_is_plain_text_on_stderr():
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    assert done.stdout == "the result\n"
    said, step = done.stderr.splitlines()
    assert said == "backbone [bold]x"
    assert re.fullmatch(r"recording: 40 images in \d s( \(\S+/s\))?, EV 0\.91", step)


def test_on_a_terminal_progress_is_a_bar_and_the_result_stays_alone_on_stdout():
    reading, writing = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        check=True,
    )
    os.close(writing)
    shown = b""
    try:
        while block := os.read(reading, 65536):
            shown += block
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(reading)
    assert done.stdout == "the result\n"
    assert "━" in shown.decode()
    assert "40 images" in shown.decode()


def test_quiet_drops_progress_and_notes(capsys):
    terminal.settings.reset()
    terminal.note("a [bold] note\nof two lines")
    assert capsys.readouterr().err == "a [bold] note of two lines\n"
    terminal.settings.quiet = True
    try:
        terminal.note("another")
        assert terminal.progress() is SILENT
        assert capsys.readouterr().err == ""
    finally:
        terminal.settings.reset()
