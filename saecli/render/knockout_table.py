"""An experiment on one screen: the hypothesis, the effect among its controls, the verdict."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from saecli.records import ClassProbability, ControlReport, KnockoutReport
from saecli.render import parts
from saecli.render.arm_tables import NAMES, arm_rows, further_arms, meanings
from saecli.render.dose_tables import dose_tables
from saecli.render.numbers import figure, interval, p_value, plural, share
from saecli.render.strips import Chart, Row

ROUNDING = 1e-12  # of p times the family's size, as the rule allows for it


def knockout_table(report: KnockoutReport) -> RenderableType:
    """What was claimed, what happened, and what the verdict rests on."""
    return parts.stack(
        hypothesis(report),
        _verdict(report),
        _effects(report),
        _shares(report),
        meanings(report),
        dose_tables(report),
        _probabilities(report.before, report.after),
        _footer(report),
    )


def hypothesis(report: KnockoutReport) -> Text:
    """The claim in a sentence."""
    line = Text("Setting ").append(concept(report.latents), style=parts.REF)
    line.append(f" {edit_words(report.value, report.scope)} lowers ")
    line.append(report.class_, style=parts.HEADING)
    if report.expect is not None:
        line.append(" in favour of ").append(report.expect, style=parts.HEADING)
    line.append(".\n")
    if report.labels:
        names = (f"{ref} “{text}”" for ref, text in report.labels.items())
        line.append("labelled: " + ", ".join(names) + "\n")
    return line.append_text(
        parts.facts(
            f"experiment {report.experiment}",
            f"hypothesis {report.hypothesis}",
            parts.registration(report.registered),
            None if report.replaces is None else f"replaces hypothesis {report.replaces}",
            plural(report.n_images, "picture"),
            f"{report.n_excluded:,} left out (they helped to choose the latents)"
            if report.n_excluded
            else None,
            _earlier(report.n_earlier),
        )
    )


def _earlier(n: int) -> str | None:
    if not n:
        return None
    others = "1 other hypothesis" if n == 1 else f"{n:,} other hypotheses"
    return f"{others} about the class judged on some of these pictures before"


def concept(refs: list[str], most: int = 6) -> str:
    """A set of latents in short: `clip:3+9`, `clip:1+2+3+4+5+6 and 7 more`."""
    names = [ref.rpartition(":") for ref in refs]
    if len({dictionary for dictionary, _, _ in names}) == 1:
        joined, gap = f"{names[0][0]}:" + "+".join(n for _, _, n in names[:most]), ""
    else:
        joined, gap = ", ".join(refs[:most]), ","
    return joined if len(refs) <= most else f"{joined}{gap} and {len(refs) - most} more"


def edit_words(value: str, scope: str) -> str:
    """What is done to the latents and where: `to 0 where they fire`."""
    return _value(value) + _scope(scope)


def _value(value: str) -> str:
    kind, _, amount = value.partition(":")
    amount = amount.replace("-", "−")
    if kind == "scale":
        return f"to {amount} times their activation"
    if kind == "set":
        return f"to {amount} times their largest activation"
    return "to 0"


def _scope(scope: str) -> str:
    words = {"active": " where they fire", "all": " on all patches"}
    return words.get(scope, f" on patches {scope}")


def verdict_reasons(report: KnockoutReport) -> list[tuple[bool, str]]:
    """What the verdict rests on: whether it speaks for the hypothesis, and in words."""
    bound = -abs(report.smallest_effect)
    low, high = report.ci
    if low > bound:
        lies, beyond = "lies wholly inside" if high < -bound else "does not reach", False
    elif high < bound:
        lies, beyond = "lies wholly beyond", True
    else:
        lies, beyond = "reaches across", False
    p = report.family.holm_p if report.family else report.p_value
    reasons = [
        (
            beyond,
            f"the effect's 95 % interval {interval(report.ci)} {lies} the smallest effect of "
            f"interest ({figure(bound)} nats)",
        ),
        (
            p <= report.alpha + ROUNDING,
            f"p = {p_value(report.p_value)}{_adjusted(report)} against controls of equal size "
            f"(α = {report.alpha:g})",
        ),
    ]
    if "no_baseline_margin" in report.extras.get("reasons", ()):
        margin = figure(report.extras.get("baseline_margin"))
        words = f"the probe does not favour {report.class_} before the edit (margin {margin} nats)"
        reasons.insert(0, (False, words))
    holds = report.specificity.get("holds")
    if holds is not None:
        reasons.append((bool(holds), _without(report, holds)))
    elif report.verdict == "inconclusive":
        reasons.append((False, _too_few_without(report)))
    return reasons


def _verdict(report: KnockoutReport) -> RenderableType:
    line = Text.assemble(("Verdict: ", parts.HEADING))
    word = parts.verdict(report.verdict)
    word.stylize("bold")
    line.append_text(word)
    table = Table.grid(padding=(0, 1))
    for good, words in verdict_reasons(report):
        table.add_row(
            Text(" ✓" if good else " ✗", style=parts.GOOD if good else parts.BAD), Text(words)
        )
    return Group(line, table)


def _without(report: KnockoutReport, holds: bool) -> str:
    """What the edit does elsewhere: the mean, which decides, and the mean of absolute changes."""
    told = report.specificity
    mean = figure(told.get("effect_without"))
    if told.get("ci_without") is not None:
        mean += f" {interval(told['ci_without'])}"
    line = (
        f"without {report.class_} the same edit moves {mean} nats "
        f"({'at most' if holds else 'more than'} {_most_without(report)} as much)"
    )
    if told.get("absolute_without") is not None:
        line += f", {figure(told['absolute_without'])} regardless of sign"
    return line


def _too_few_without(report: KnockoutReport) -> str:
    told = report.specificity
    n, least = told.get("n_without", 0), told.get("least_without")
    unit = told.get("unit_without", "picture")
    if not n or least is None:
        needed = "" if least is None else f": {least} are needed"
        return f"no {unit} without {report.class_} to show that it is specific{needed}"
    return (
        f"only {plural(n, unit)} without {report.class_}, too few to show that it is specific: "
        f"{least} are needed"
    )


def _most_without(report: KnockoutReport) -> str:
    """How much of the effect pictures without the class may move, by the plan."""
    most = report.extras.get("most_without", 0.5)
    return "half" if most == 0.5 else f"{most:g} times"


def _adjusted(report: KnockoutReport) -> str:
    """What is left of p among the hypotheses that were tested with it."""
    place = report.family
    if place is None or place.size == 1:
        return ""
    return (
        f", {p_value(place.holm_p)} by Holm for {place.size} hypotheses "
        f"({p_value(place.bh_p)} by Benjamini–Hochberg),"
    )


def _effects(report: KnockoutReport) -> RenderableType:
    drawn: dict[str, Any] = report.extras.get("control_effects", {})
    rows = [
        Row(
            "this edit",
            f"{figure(report.effect)} {interval(report.ci)}",
            report.effect,
            (report.ci[0], report.ci[1]),
            style="green",
        )
    ]
    for kind, control in report.controls.items():
        rows.append(
            Row(
                _control(kind),
                f"{figure(control.mean)} ± {figure(control.sd)} ({control.n})",
                control.mean,
                (control.mean - control.sd, control.mean + control.sd),
                drawn.get(kind, ()),
                style="blue",
            )
        )
    rows += arm_rows(report)
    versus = f" − logit {report.expect}" if report.expect is not None else " against the rest"
    title = Text.assemble(
        ("Effect ", parts.HEADING),
        (f"on logit {report.class_}{versus}, mean over pictures, in nats", parts.QUIET),
    )
    legend = Text(
        "╎ smallest effect of interest   ━ 95 % interval (controls: ± one deviation)",
        style=parts.QUIET,
    )
    return Group(title, Chart(rows, mark=-abs(report.smallest_effect)), legend)


def _control(kind: str) -> str:
    return NAMES.get(kind, kind.replace("_", " "))


def _shares(report: KnockoutReport) -> RenderableType | None:
    segmentation = report.changed is not None
    table = parts.table("Patches whose class changed" if segmentation else "Predictions that left")
    table.add_column("", no_wrap=True)
    if segmentation:
        parts.add_numbers(table, f"of {report.class_}", "of the others")
        keys = ("target", "other")
    else:
        parts.add_numbers(table, report.class_)
        table.add_column("", no_wrap=True, min_width=10)
        if report.expect is not None:
            parts.add_numbers(table, f"now {report.expect}")
        keys = ("from_class", "to_expected")

    def add(name: str, found: dict[str, float | None] | None) -> None:
        if not found:
            return
        cells = [share(found.get(key)) for key in keys]
        if not segmentation:
            cells.insert(1, "")
        row: list[RenderableType] = [Text(name), *cells]
        if not segmentation:
            row[2] = parts.bar(found.get("from_class") or 0.0, 1.0)
            row = row if report.expect is not None else row[:3]
        table.add_row(*row)

    add("this edit", report.changed if segmentation else report.flipped)
    for kind, control in report.controls.items():
        add(_control(kind), _of(control, segmentation))
    for arm in further_arms(report):
        add(_control(arm.kind), arm.changed if segmentation else arm.flipped)
    return table if table.row_count else None


def _of(control: ControlReport, segmentation: bool) -> dict[str, float | None] | None:
    return control.changed if segmentation else control.flipped


def _probabilities(
    before: list[ClassProbability], after: list[ClassProbability]
) -> RenderableType | None:
    if not before and not after:
        return None
    then = {one.class_: one.probability for one in before}
    now = {one.class_: one.probability for one in after}
    table = parts.table("Mean probabilities")
    parts.add_words(table, "class")
    parts.add_numbers(table, "before")
    table.add_column("", no_wrap=True, min_width=16)
    parts.add_numbers(table, "after")
    table.add_column("", no_wrap=True, min_width=16)
    for name in dict.fromkeys([*then, *now]):
        table.add_row(
            Text(name),
            figure(then.get(name)),
            parts.bar(then.get(name, 0.0), 1.0, 16, "blue"),
            figure(now.get(name)),
            parts.bar(now.get(name, 0.0), 1.0, 16, "green"),
        )
    return table


def _footer(report: KnockoutReport) -> Text:
    difference = report.zero_edit.get("max_abs_difference")
    zero = (
        "the zero edit left every output bit-equal"
        if difference == 0
        else f"the zero edit moved an output by {difference:.2g}"
        if difference is not None
        else None
    )
    line = parts.facts(zero, f"seed {report.seed}")
    line.stylize(parts.QUIET)
    return line
