"""Tables of labels: their history, and what came of a file of them."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records import (
    AutomaticLabelsReport,
    LabelConflict,
    LabelRow,
    LabelScoresReport,
    LabelsImportReport,
)
from saecli.render import parts
from saecli.render.numbers import figure, plural


def history_table(rows: list[LabelRow]) -> RenderableType:
    """A latent's labels, newest first, with who gave each and what became of it."""
    table = parts.table("Labels")
    parts.add_numbers(table, "number")
    parts.add_words(table, "label")
    table.add_column("author", overflow="fold")
    table.add_column("date", no_wrap=True)
    table.add_column("status", no_wrap=True)
    parts.add_words(table, "note")
    for row in rows:
        table.add_row(
            str(row.number),
            Text(row.text),
            Text(row.author if row.kind == "person" else f"{row.author} (automatic)"),
            f"{row.created:%Y-%m-%d}",
            _status(row),
            Text("; ".join(_remarks(row)), style=parts.QUIET),
        )
    return table


def import_table(report: LabelsImportReport) -> RenderableType:
    """What was taken in, what contradicts, and what was not taken."""
    head = parts.facts(
        Text(report.file),
        f"{report.n_added:,} of {plural(report.n_rows, 'label')} added",
        f"{report.n_known:,} known before" if report.n_known else None,
        f"{report.n_closed:,} ended" if report.n_closed else None,
    )
    left = [f"line {one.line}: {one.reason}" for one in report.skipped]
    skipped = Text("\n".join(["Not taken:", *left]), style=parts.OPEN) if left else None
    return parts.stack(head, conflicts_table(report.conflicts), skipped)


def conflicts_table(conflicts: list[LabelConflict]) -> RenderableType | None:
    """Latents for which several people's labels hold; None if there are none."""
    if not conflicts:
        return None
    table = parts.table("Labels that differ: all hold until saecli label settles it")
    parts.add_refs(table, [one.ref for one in conflicts])
    parts.add_words(table, "label")
    parts.add_words(table, "author")
    for one in conflicts:
        for place, label in enumerate(one.labels):
            table.add_row(Text("" if place else one.ref), Text(label.text), Text(label.author))
    return table


def automatic_table(report: AutomaticLabelsReport, most: int = 40) -> RenderableType:
    """The words that an automatic labeller found, the surest first."""
    head = parts.facts(
        Text(report.dictionary, style=parts.HEADING),
        f"{report.labeller} by {report.clip}",
        f"{plural(report.n_words, 'word')} of {report.vocabulary}",
        plural(report.n_images, "picture"),
    )
    counts = parts.facts(
        f"{plural(report.n_labelled, 'latent')} labelled",
        f"{report.n_unchanged:,} as before" if report.n_unchanged else None,
        f"{report.n_without:,} without a good word",
    )
    found = sorted(report.labels, key=lambda label: -label.confidence)
    table = parts.table()
    parts.add_refs(table, [one.ref for one in found])
    parts.add_words(table, "label")
    parts.add_numbers(table, "r")
    parts.add_words(table, "next best")
    parts.add_numbers(table, "its r")
    for one in found[:most]:
        table.add_row(
            Text(one.ref),
            Text(one.label),
            figure(one.confidence),
            Text(one.runner_up or "–", style=parts.QUIET),
            figure(one.runner_up_confidence),
        )
    more = f"and {len(found) - most:,} more (--json)" if len(found) > most else None
    return parts.stack(head, counts, table if found else None, parts.facts(more))


_REASONS = {
    "too_few_active": "fires on too few held-out pictures",
    "too_few_silent": "silent on too few held-out pictures",
}


def scores_table(report: LabelScoresReport) -> RenderableType:
    """How well labels tell where their latents fire, in the order they were asked for."""
    head = parts.facts(
        f"{report.judge} by {report.clip}",
        "AUROC: latent fires against silent on held-out pictures, 0.5 is chance",
    )
    table = parts.table()
    parts.add_refs(table, [row.ref for row in report.scores])
    parts.add_words(table, "label")
    parts.add_words(table, "author")
    parts.add_numbers(table, "score", "95 % interval", "random", "near misses", "pictures")
    for row in report.scores:
        interval = _REASONS.get(row.reason or "", "")
        if row.ci is not None:
            interval = f"[{figure(row.ci[0])}, {figure(row.ci[1])}]"
        table.add_row(
            Text(row.ref),
            Text(row.label),
            Text(row.author, style=parts.QUIET if row.kind == "labeller" else ""),
            figure(row.auroc),
            interval,
            figure(row.random),
            figure(row.near_miss),
            f"{row.n_positive} + {row.n_negative}",
        )
    return parts.stack(head, table)


def _status(row: LabelRow) -> Text:
    if row.status == "refuted":
        by = "" if row.refuted_by is None else f" by experiment {row.refuted_by}"
        return Text(f"refuted{by}", style=parts.BAD)
    return Text(row.status, style=parts.GOOD if row.status == "current" else parts.QUIET)


def _remarks(row: LabelRow) -> list[str]:
    """Confidence, score, evidence and notes, as far as there are any."""
    remarks = []
    if row.confidence is not None:
        remarks.append(f"confidence {row.confidence:.2f}")
    if row.score is not None and row.score.get("auroc") is not None:
        remarks.append(f"score {row.score['auroc']:.2f}")
    if row.rests_on:
        remarks.append("rests on " + ", ".join(row.rests_on))
    return [*remarks, *(note for note in (row.note, row.closing_note) if note)]
