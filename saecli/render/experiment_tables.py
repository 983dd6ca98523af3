"""Hypotheses and experiments: stated, listed, shown whole, run again."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from saecli.records import (
    Difference,
    ExperimentList,
    ExperimentSummary,
    HypothesisList,
    HypothesisReport,
    HypothesisRow,
    KnockoutReport,
    RerunReport,
    ShowExperimentReport,
    ShowHypothesisReport,
    ShownArm,
    ShownTrial,
    StatedFamily,
)
from saecli.records.reading import read
from saecli.render import parts
from saecli.render.knockout_table import concept, edit_words, knockout_table
from saecli.render.numbers import figure, interval, p_value, plural

MOST_DIFFERENCES = 20  # on the screen; the document has all
MOST_TRIALS = 10


def hypothesis_table(report: HypothesisReport) -> RenderableType:
    """The hypothesis that was stated, and how to test it."""
    head = Text(f"hypothesis {report.number}: ", style=parts.HEADING).append(report.statement)
    facts = parts.facts(
        Text(concept(report.latents), style=parts.REF),
        parts.registration(report.registered, report.tested_before),
        plural(report.n_images, "picture"),
        parts.left_out(report.n_excluded, report.n_excluded_by_group),
        None if report.replaces is None else f"replaces hypothesis {report.replaces}",
        f"hash {report.hash[:16]}…",
    )
    how = Text(f"test it: saecli knockout --hypothesis {report.number}", style=parts.QUIET)
    return parts.stack(parts.lines(head, facts), how)


def stated_table(family: StatedFamily) -> RenderableType:
    """The hypotheses of a plan file, a line each, and how to test them together."""
    table = parts.table()
    parts.add_numbers(table, "hypothesis", "pictures")
    parts.add_words(table, "claim", least=20)
    table.add_column("hash")
    for one in family.hypotheses:
        table.add_row(
            str(one.number), f"{one.n_images:,}", Text(one.statement), f"{one.hash[:16]}…"
        )
    late = [
        Text(f"hypothesis {one.number}: ").append_text(
            parts.registration(one.registered, one.tested_before)
        )
        for one in family.hypotheses
        if one.tested_before
    ]
    how = Text(f"test them: saecli knockout --plan {family.plan}", style=parts.QUIET)
    return parts.stack(table, parts.lines(*late) if late else None, how)


def hypotheses_table(found: HypothesisList) -> RenderableType:
    """All hypotheses with the verdicts of their experiments."""
    if not found.hypotheses:
        return Text("There is no hypothesis yet; state one with `saecli hypothesis add`.")
    table = parts.table()
    parts.add_numbers(table, "number")
    parts.add_words(table, "latents")
    parts.add_words(table, "claim", least=20)
    table.add_column("stated")
    parts.add_numbers(table, "replaces")
    parts.add_words(table, "experiments", least=12)
    for row in found.hypotheses:
        table.add_row(
            str(row.number),
            _latents(row.latents, row.labels),
            Text(row.statement),
            parts.registration(row.registered, row.tested_before, short=True),
            "–" if row.replaces is None else str(row.replaces),
            _verdicts(row.verdicts),
        )
    return table


def experiments_table(found: ExperimentList) -> RenderableType:
    """Finished experiments, a line each."""
    if not found.experiments:
        return Text("No experiment of this kind has finished.")
    table = parts.table()
    parts.add_numbers(table, "number")
    parts.add_words(table, "latents")
    parts.add_words(table, "lowers", least=14)
    parts.add_numbers(table, "effect", "95 % interval", "p")
    table.add_column("verdict", no_wrap=True)
    parts.add_words(table, "stated", least=11)
    for row in found.experiments:
        verdict = parts.verdict(row.verdict)
        if row.rerun_of is not None:
            verdict.append(f" (reruns {row.rerun_of})", style=parts.QUIET)
        table.add_row(
            str(row.number),
            _latents(row.latents, row.labels),
            _claim(row),
            figure(row.effect),
            interval(row.ci),
            p_value(row.p_value) + (f" ({p_value(row.holm_p)})" if _adjusted(row) else ""),
            verdict,
            _stated(row),
        )
    if any(map(_adjusted, found.experiments)):
        note = "in brackets: p by Holm, which decided where several were tested together"
        return Group(table, Text(note, style=parts.QUIET))
    return table


def show_hypothesis_table(report: ShowHypothesisReport) -> RenderableType:
    """Everything about a hypothesis."""
    head = Text(f"hypothesis {report.number}: ", style=parts.HEADING).append(report.statement)
    facts = parts.facts(
        parts.registration(report.registered, report.tested_before),
        None if report.replaces is None else f"replaces hypothesis {report.replaces}",
        _numbers("replaced by hypothesis", report.replaced_by),
        _numbers("unfinished: experiment", report.unfinished),
        f"stated {report.created:%Y-%m-%d %H:%M} UTC by saecli {report.command}",
    )
    experiments = ExperimentList(report.experiments)
    tested = experiments_table(experiments) if report.experiments else Text("Not tested yet.")
    return parts.stack(
        parts.lines(head, facts),
        _plan(report.plan, report.hash),
        Group(Text("Experiments", style=parts.HEADING), tested),
    )


def show_experiment_table(report: ShowExperimentReport) -> RenderableType:
    """Everything about an experiment: its screen, its plan, its arms, its pictures."""
    told: RenderableType = parts.lines(
        Text(f"experiment {report.number}: ", style=parts.HEADING).append(
            report.hypothesis.statement
        ),
        parts.facts(
            parts.verdict(report.verdict),
            f"hypothesis {report.hypothesis.number}",
            parts.registration(report.hypothesis.registered, report.hypothesis.tested_before),
        ),
    )
    if report.report is not None:
        told = knockout_table(read(KnockoutReport, report.report))
    facts = parts.facts(
        f"run {report.created:%Y-%m-%d %H:%M} UTC by saecli {report.command}",
        None if report.rerun_of is None else f"experiment {report.rerun_of} run again",
        _numbers("run again as experiment", report.reruns),
        _labels_now(report.hypothesis),
    )
    return parts.stack(
        told, _arms(report.arms), _trials(report.trials), _plan(report.plan, report.hash), facts
    )


def rerun_table(report: RerunReport) -> RenderableType:
    """Whether the figures are the same, and which are not."""
    size = f"{plural(report.n_images, 'picture')} under {plural(report.n_arms, 'arm')}"
    head = Text(f"experiment {report.experiment}, run again as experiment {report.rerun}: ")
    if report.identical:
        head.append("identical", style=parts.GOOD)
        return head.append(f", every figure of {size} to the last bit; {report.verdict}")
    head.append(f"{len(report.differences):,} differ", style=parts.BAD)
    head.append(f", of {size}; now {report.verdict}")
    table = parts.table("Differences")
    parts.add_words(table, "figure")
    parts.add_words(table, "picture")
    parts.add_words(table, "arm")
    parts.add_numbers(table, "stored", "now", "difference")
    for one in report.differences[:MOST_DIFFERENCES]:
        table.add_row(*_difference(one))
    more = len(report.differences) - MOST_DIFFERENCES
    rest = Text(f"and {more:,} more (--json lists all)", style=parts.QUIET) if more > 0 else None
    return parts.stack(head, table, rest)


def _difference(one: Difference) -> list[RenderableType]:
    numbers = isinstance(one.stored, int | float) and isinstance(one.now, int | float)
    return [
        Text(one.figure),
        Text("–") if one.image is None else parts.path(one.image.path),
        Text(one.arm or "–"),
        Text(_short(one.stored)),
        Text(_short(one.now)),
        f"{one.now - one.stored:.3g}" if numbers else "–",
    ]


def _short(value: object, most: int = 24) -> str:
    text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _latents(refs: list[str], labels: Mapping[str, str]) -> Text:
    text = Text(concept(refs), style=parts.REF)
    if labels:
        text.append(" " + ", ".join(dict.fromkeys(labels.values())), style="not bold default")
    return text


def _adjusted(row: ExperimentSummary) -> bool:
    return row.holm_p not in (None, row.p_value)


def _stated(row: ExperimentSummary) -> Text:
    """Whether it was registered, and whether another plan of the same claim was run before."""
    text = parts.registration(row.registered, row.tested_before, short=True)
    if row.replaces is not None:
        text.append(f" (replaces hypothesis {row.replaces})", style=parts.QUIET)
    return text


def _claim(row: ExperimentSummary) -> Text:
    text = Text(row.class_ or "–")
    if row.expect is not None:
        text.append(" → ", style=parts.QUIET).append(row.expect)
    return text


def _verdicts(found: Mapping[int, str | None]) -> Text:
    texts = [
        Text(f"{number} ").append_text(parts.verdict(verdict)) for number, verdict in found.items()
    ]
    return Text(", ").join(texts) if texts else Text("not tested yet", style=parts.QUIET)


def _numbers(words: str, numbers: Sequence[int]) -> str | None:
    return f"{words} {', '.join(map(str, numbers))}" if numbers else None


def _labels_now(row: HypothesisRow) -> str | None:
    names = [f"{ref} “{text}”" for ref, text in row.labels.items()]
    return f"labels now: {', '.join(names)}" if names else None


def _plan(plan: Mapping[str, Any], digest: str) -> RenderableType:
    """A plan key by key; what is None was not asked for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style=parts.QUIET)
    table.add_column(overflow="fold")
    for key, value in plan.items():
        if isinstance(value, dict):
            words = ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if v is not None)
        else:
            words = _plain(value)
        if words:
            table.add_row(Text(key.replace("_", " ")), Text(words))
    table.add_row(Text("hash"), Text(digest))
    return Group(Text("Plan", style=parts.HEADING), table)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, str) and len(value) == 64 and value.isalnum():
        return value[:12] + "…"  # a digest
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _arms(arms: Sequence[ShownArm]) -> RenderableType:
    """Each kind of arm, and each dose, with its mean and its strongest effect."""
    table = parts.table("Arms")
    parts.add_words(table, "kind")
    parts.add_numbers(table, "n", "mean effect", "lowest", "highest")
    alike: dict[str, list[ShownArm]] = {}
    doses = _doses(arms)
    for arm in arms:
        alike.setdefault(_kind(arm, doses), []).append(arm)
    for words, same in alike.items():
        effects = [arm.effect for arm in same if arm.effect is not None]
        shown = (
            [figure(sum(effects) / len(effects)), figure(min(effects)), figure(max(effects))]
            if effects
            else ["–"] * 3
        )
        table.add_row(Text(words), str(len(same)), *shown)
    return table


def _doses(arms: Sequence[ShownArm]) -> dict[tuple[str, int], str]:
    """By kind and number: what a dose sets, and beside which dose a random push stands."""
    doses = [arm for arm in arms if arm.kind == "dose"]
    pushes = [arm for arm in arms if arm.kind == "dose_push"]
    words = [edit_words(arm.description["value"], arm.description["scope"]) for arm in doses]
    told = {("dose", arm.number): one for arm, one in zip(doses, words, strict=True)}
    for i, arm in enumerate(pushes):  # as many beside each dose, in the doses' order
        told["dose_push", arm.number] = f"(random) {words[i * len(doses) // len(pushes)]}"
    return told


def _kind(arm: ShownArm, doses: Mapping[tuple[str, int], str]) -> str:
    told = doses.get((arm.kind, arm.number))
    return arm.kind.replace("_", " ") + ("" if told is None else f" {told}")


def _trials(trials: Sequence[ShownTrial]) -> RenderableType:
    """The pictures whose margin the edit moved most."""
    run = [one for one in trials if one.before is not None and one.after is not None]
    run.sort(key=lambda one: -abs((one.after or 0.0) - (one.before or 0.0)))
    table = parts.table(f"Pictures ({len(run):,} of {len(trials):,} run; most moved first)")
    parts.add_words(table, "picture", least=20)
    table.add_column("class", no_wrap=True)
    parts.add_numbers(table, "margin before", "after")
    for one in run[:MOST_TRIALS]:
        table.add_row(
            parts.path(one.image.path, 60),
            "with" if one.with_class else "without",
            figure(one.before),
            figure(one.after),
        )
    return table
