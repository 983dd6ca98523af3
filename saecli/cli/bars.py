"""Progress on a terminal: Rich bars with rate and time left."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as RichBars
from rich.progress import Task as RichTask
from rich.table import Column
from rich.text import Text

from saecli.cli.failures import one_line
from saecli.progress import Task
from saecli.render.numbers import count, duration, one_of_them, rate

REFRESHES_PER_SECOND = 4  # the cores belong to the work


class _Done(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        done = _short(task.completed)
        if task.total is not None and not task.finished:
            done += f"/{_short(task.total)}"
        unit: str = task.fields["unit"]
        whole = task.completed if task.total is None else task.total
        return Text(f"{done} {one_of_them(unit) if whole == 1 else unit}")


class _Rate(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        speed = task.completed / task.elapsed if task.finished and task.elapsed else task.speed
        return Text(rate(speed or 0.0), style="cyan")


class _Time(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        if task.finished:
            return Text(f"in {duration(task.elapsed or 0.0)}", style="green")
        if task.stop_time is not None:
            return Text("stopped", style="red")
        if task.time_remaining is None:
            return Text(duration(task.elapsed or 0.0), style="dim")
        return Text(f"{duration(task.time_remaining)} left", style="yellow")


def _short(n: float) -> str:
    return f"{n:,.0f}" if n < 100_000 else count(n)


def _columns(width: int) -> list[ProgressColumn]:
    # Least widths, so that the bars of successive steps stand below one another.
    def cell(least: int, justify: JustifyMethod = "right") -> Column:
        return Column(min_width=least, no_wrap=True, justify=justify)

    bar = 24 if width >= 100 else 14
    return [
        TextColumn("{task.description}", markup=False, table_column=cell(14, "left")),
        BarColumn(bar_width=bar, table_column=cell(bar)),
        _Done(table_column=cell(19)),
        _Rate(table_column=cell(7)),
        _Time(table_column=cell(9)),
        TextColumn(
            "{task.fields[note]}",
            markup=False,
            style="dim",
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
    ]


class Bars:
    """Rich bars with rate and time left; steps that overlap share one display."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars: RichBars | None = None
        self._running = 0

    def say(self, message: str) -> None:
        self.console.print(one_line(message), markup=False, highlight=False, soft_wrap=True)

    def task(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Task]:
        return self._task(name, total, unit)

    @contextmanager
    def _task(self, name: str, total: int | None, unit: str) -> Iterator[Task]:
        if self._bars is None:
            self._bars = RichBars(
                *_columns(self.console.width),
                console=self.console,
                refresh_per_second=REFRESHES_PER_SECOND,
                redirect_stdout=False,  # stdout belongs to the result
            )
            self._bars.start()
        bars = self._bars
        self._running += 1
        task = bars.add_task(name, total=total, unit=unit, note="")
        try:
            yield _BarTask(bars, task)
            if total is None:
                done = bars.tasks[bars.task_ids.index(task)].completed
                bars.update(task, total=done, completed=done)
        finally:
            self._running -= 1
            bars.stop_task(task)
            if not self._running:
                bars.stop()
                self._bars = None


class _BarTask:
    def __init__(self, bars: RichBars, task: TaskID) -> None:
        self.bars, self.task = bars, task

    def advance(self, n: int = 1, note: str = "") -> None:
        if note:
            self.bars.update(self.task, advance=n, note=note)
        else:
            self.bars.update(self.task, advance=n)
