"""Tables of the catalog itself: any record as its facts."""

from dataclasses import fields, is_dataclass

from rich.console import RenderableType
from rich.text import Text

from saecli.records import MergeReport, as_json
from saecli.render import parts
from saecli.render.label_tables import conflicts_table

_KINDS = {
    "dictionaries": "dictionary",
    "profiles": "profile",
    "images": "image",
    "probes": "probe",
    "observations": "observation",
    "selections": "selection",
    "comparisons": "comparison",
    "hypotheses": "hypothesis",
    "experiments": "experiment",
    "labels": "label",
    "label_ends": "label end",
    "label_scores": "label score",
}
"""What a merge tells people of, by the report's keys: one of each."""


def facts_table(report: object) -> RenderableType:
    """A record's fields, a line each; a list's entries below one another."""
    assert is_dataclass(report)
    table = parts.table()
    table.show_header = False
    table.box = None
    table.add_column("what", style=parts.QUIET, no_wrap=True)
    parts.add_words(table, "value")
    for field in fields(report):
        for name, value in _lines(field.name.replace("_", " "), getattr(report, field.name)):
            table.add_row(name, Text(value))
    return table


def merge_table(report: MergeReport) -> RenderableType:
    """What came from another catalog, under which names, and which labels differ."""
    came = [
        f"1 {_KINDS[kind]}" if number == 1 else f"{number:,} {kind.replace('_', ' ')}"
        for kind, number in report.added.items()
        if number and kind in _KINDS
    ]
    head = Text(f"{report.other}: ").append(", ".join(came) or "nothing that is not here already")
    names = [f"its {old} is {new} here" for old, new in report.renamed.items()]
    renamed = Text("\n".join(names), style=parts.OPEN) if names else None
    return parts.stack(head, renamed, conflicts_table(report.conflicts))


def _lines(name: str, value: object) -> list[tuple[str, str]]:
    plain = as_json(value)
    if isinstance(plain, dict):
        return [(f"{name}: {key}", _word(item)) for key, item in plain.items()]
    if isinstance(plain, list):
        shown = [_word(item) for item in plain] or ["none"]
        return [(name if number == 0 else "", line) for number, line in enumerate(shown)]
    return [(name, _word(plain))]


def _word(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
