"""Many hypotheses on one screen: each effect with both adjusted p-values, and the verdicts."""

from rich.console import Group, RenderableType
from rich.text import Text

from saecli.records import FamilyReport, KnockoutReport, Protocol, ProtocolArm
from saecli.render import parts
from saecli.render.knockout_table import concept, edit_words
from saecli.render.numbers import figure, interval, p_value, plural, share

ARMS = {
    "random_vector": "random vector",
    "random_feature": "random feature",
    "automatic": "automatic",
    "manual": "manual",
}

REASONS = {
    "no_baseline_margin": "nothing to lower",
    "effect_below_smallest": "effect too small",
    "interval_reaches_smallest": "effect perhaps too small",
    "controls_do_as_much": "controls do as much",
    "no_controls": "no controls",
    "not_specific": "not specific",
    "nothing_without_class": "too little without the class",
}
"""What stands against *supported*, in a few words each."""


def family_table(report: FamilyReport) -> RenderableType:
    """The hypotheses, what was chosen for them, and in segmentation the paper's table."""
    return parts.stack(
        _heading(report),
        _hypotheses(report),
        _choices(report),
        _protocol(report.protocol),
        _footer(report),
    )


def _heading(report: FamilyReport) -> Text:
    line = Text(report.plan, style=parts.HEADING)
    counts = [f"{n} {word}" for word, n in sorted(report.verdicts.items(), reverse=True)]
    edits = _edits(report)
    facts = parts.facts(
        f"{report.size} tested together" if report.size > 1 else "one hypothesis",
        ", ".join(counts),
        f"{report.controls} controls of each kind",
        f"all set {edit_words(*edits.pop())}" if len(edits) == 1 else None,
    )
    return line.append("\n").append_text(facts)


def _hypotheses(report: FamilyReport) -> RenderableType:
    table = parts.table("Hypotheses")
    parts.add_numbers(table, "exp.")
    table.add_column("latents", style=parts.REF, overflow="fold", min_width=10)
    parts.add_words(table, "lower", least=12)
    several = len(_edits(report)) > 1
    if several:
        parts.add_words(table, "at")
    parts.add_numbers(table, "effect, nats", "95 % interval", "p", "Holm", "BH")
    parts.add_words(table, "verdict", least=20)
    for one in report.experiments:
        favour = f" for {one.expect}" if one.expect else ""
        where = "" if one.scope == "active" else f", {one.scope}"
        place = one.family
        table.add_row(
            str(one.experiment),
            Text(concept(one.latents, 4)),
            Text(one.class_ + favour),
            *([Text(one.value + where)] if several else []),
            figure(one.effect),
            interval(one.ci),
            p_value(one.p_value),
            p_value(place.holm_p if place else None),
            p_value(place.bh_p if place else None),
            _verdict(one),
        )
    return table


def _edits(report: FamilyReport) -> set[tuple[str, str]]:
    """The values and scopes that occur."""
    return {(one.value, one.scope) for one in report.experiments}


def _verdict(one: KnockoutReport) -> Text:
    line = parts.verdict(one.verdict)
    if not one.registered:
        line.append(" (exploratory)", style=parts.OPEN)
    against = [_why(one, reason) for reason in one.extras.get("reasons", ())]
    return line.append(": " + ", ".join(against), style=parts.QUIET) if against else line


def _why(one: KnockoutReport, reason: str) -> str:
    rises = one.ci[0] is not None and one.ci[0] > 0
    return "the margin rises" if rises and reason == "effect_below_smallest" else REASONS[reason]


def _choices(report: FamilyReport) -> RenderableType | None:
    if not report.choices:
        return None
    table = parts.table("Chosen by F1 on other pictures")
    parts.add_words(table, "class")
    table.add_column("latents", style=parts.REF, overflow="fold", min_width=10)
    parts.add_numbers(table, "F1", "pictures")
    for one in report.choices:
        table.add_row(
            Text(one["class"]),
            Text(concept(one["latents"])),
            ", ".join(figure(value) for value in one["f1"][:3]),
            f"{one['n_images']:,}",
        )
    return table


def _protocol(told: Protocol | None) -> RenderableType | None:
    if told is None:
        return None
    present = [arm for arm in ARMS if any(one.arm == arm for one in told.micro)]
    table = parts.table("Patches changed, of the class / of the others")
    parts.add_words(table, "class")
    parts.add_numbers(table, *(ARMS[arm] for arm in present))
    for one in told.classes:
        table.add_row(Text(one.class_), *_cells(one.arms, present))
    if len(told.classes) > 1:
        table.add_section()
        table.add_row("all patches", *_cells(told.micro, present), style=parts.HEADING)
        table.add_row("mean of classes", *_cells(told.macro, present), style=parts.HEADING)
    if all(one.n == 1 for row in told.classes for one in row.arms):
        return table
    legend = Text("of several edits, each with its own size, the mean stands", style=parts.QUIET)
    return Group(table, legend)


def _cells(arms: list[ProtocolArm], present: list[str]) -> list[RenderableType]:
    found = {one.arm: _cell(one) for one in arms}
    return [found.get(arm, "–") for arm in present]


def _cell(one: ProtocolArm) -> Text:
    cell = Text(f"{share(one.target)} / {share(one.other)}")
    if one.n > 1:
        cell.append(f"\nmean over {one.n:,} edits", style="not bold dim")
    return cell


def _footer(report: FamilyReport) -> Text:
    words = (
        f"verdicts by Holm's p ≤ {report.alpha:g}, which bounds the chance of one false "
        "'supported' among all; BH (Benjamini–Hochberg) bounds the share of false ones instead · "
        f"details of each of the {plural(report.size, 'experiment')}: saecli show experiment:"
        f"{report.experiments[0].experiment}"
    )
    return Text(words, style=parts.QUIET)
