"""The pieces that saecli's tables are made of: one look for all of them.

Text of users (labels, paths, class names) only ever enters as `Text`, so that brackets in it are
no markup.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from saecli.records import Exemplar

REF, LABEL, QUIET, HEADING = "bold cyan", "", "dim", "bold"
GOOD, BAD, OPEN = "green", "red", "yellow"

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def table(title: str | None = None) -> Table:
    """An empty table: a rule below its headings and nothing else."""
    return Table(
        title=None if title is None else Text(title, style=HEADING),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="dim",
        border_style="dim",
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),  # with the box's own blank: two between columns
    )


def add_refs(to: Table, refs: Iterable[str], heading: str = "latent") -> None:
    """Add the column of references; it is never shortened or broken."""
    widest = max([len(heading), *map(len, refs)])
    to.add_column(Text(heading), style=REF, no_wrap=True, min_width=widest)


def add_numbers(to: Table, *headings: str) -> None:
    """Add right-aligned columns that are never broken."""
    for heading in headings:
        to.add_column(Text(heading), justify="right", no_wrap=True)


def add_words(to: Table, heading: str, *, least: int = 10) -> None:
    """Add a column of words that may be folded where the terminal is narrow."""
    to.add_column(Text(heading), overflow="fold", min_width=least)


def label(text: str | None) -> Text:
    """A latent's label, or a dim dash."""
    return Text("–", style=QUIET) if text is None else Text(text, style=LABEL)


def path(text: str, most: int = 40) -> Text:
    """A file's path; from the left shortened to whole parts where it is long."""
    parts = PurePath(text).parts
    shown = text
    while len(shown) > most and len(parts) > 1:
        parts = parts[1:]
        shown = "…/" + "/".join(parts)
    return Text(shown)


def add_exemplars(to: Table) -> None:
    """Add the column of exemplars: one line each, cut where the terminal is narrow."""
    to.add_column("exemplar:patch", min_width=14)


def exemplars(found: Sequence[Exemplar], most: int = 3) -> Text:
    """The first few exemplars in one cell: file name without its ending, and patch."""
    shown = [f"{PurePath(one.image.path).stem}:{one.patch}" for one in found[:most]]
    return Text(", ".join(shown) or "–", style=QUIET, no_wrap=True, overflow="ellipsis")


def bar(value: float, most: float, width: int = 10, style: str = "cyan") -> Text:
    """A horizontal bar in eighths of a character; ``most`` fills ``width``."""
    full = 0.0 if most <= 0 or value != value else min(max(value / most, 0.0), 1.0)
    eighths = round(full * width * 8)
    if full > 0:
        eighths = max(eighths, 1)
    blocks = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return Text(blocks.ljust(width), style=style)


def histogram(counts: Sequence[float], width: int = 48) -> Text:
    """Counts as a row of columns; the tallest fills the line, none is blank."""
    merged = _merge(counts, width)
    top = max(merged, default=0.0)
    out = Text(style="cyan")
    for value in merged:
        level = 0 if top <= 0 else round(value / top * (len(_HEIGHTS) - 1))
        out.append(" " if value <= 0 else _HEIGHTS[level])
    return out


def _merge(values: Sequence[float], width: int) -> list[float]:
    step = -(-len(values) // width) if values else 1
    return [sum(values[i : i + step]) for i in range(0, len(values), step)]


def facts(*parts: str | Text | None) -> Text:
    """Short facts on one line, with dots between them."""
    out = Text()
    for part in parts:
        if not part:
            continue
        if out:
            out.append(" · ", style=QUIET)
        out.append_text(part if isinstance(part, Text) else Text(part))
    return out


def heading(ref: str, words: str | None = None) -> Text:
    """A reference with its label."""
    out = Text.assemble((ref, REF))
    if words is not None:
        out.append("  ").append(words, style=HEADING)
    return out


def verdict(word: str | None) -> Text:
    """A verdict in its colour; an experiment without one has not finished."""
    style = {"supported": GOOD, "refuted": BAD}.get(word or "", OPEN)
    return Text(word or "unfinished", style=style)


def registration(
    registered: bool, tested_before: Sequence[int] = (), *, short: bool = False
) -> Text:
    """Whether a hypothesis was registered, or is exploratory.

    Args:
        tested_before: the experiments that had tested its very plan when it was stated.
    """
    if registered and tested_before:
        numbers = ", ".join(map(str, tested_before))
        first = f"registered after experiment{'s' * (len(tested_before) > 1)} {numbers}"
        return Text(first if short else f"{first} had tested this very plan", style=OPEN)
    if registered:
        return Text("registered" if short else "registered: stated before the run")
    words = "exploratory" if short else "exploratory: stated by the run itself"
    return Text(words, style=OPEN)


def left_out(n_chose: int, n_by_group: int) -> str | None:
    """Pictures that take no part in a test, and why; None for none."""
    words = []
    if n_chose:
        words.append(f"{n_chose:,} left out (they helped to choose the latents)")
    if n_by_group:
        words.append(f"{n_by_group:,} left out (others of their groups did)")
    return ", ".join(words) or None


def stack(*sections: RenderableType | None) -> Group:
    """Sections below one another, a blank line between them."""
    shown: list[RenderableType] = []
    for section in sections:
        if section is not None:
            shown += [section] if not shown else [Text(), section]
    return Group(*shown)


def lines(*texts: Text | None) -> Text:
    """Lines of one section."""
    return Text("\n").join([text for text in texts if text is not None])


def skipped(names: Sequence[str], most: int = 3) -> Text | None:
    """A line on pictures that were left out, if any."""
    if not names:
        return None
    more = f" and {len(names) - most} more" if len(names) > most else ""
    noun = "picture" if len(names) == 1 else "pictures"
    return Text(f"{len(names)} {noun} skipped: {', '.join(names[:most])}{more}", style=OPEN)
