"""An experiment's verdict with every part of the rule, kept or broken, by the plan's own limits."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from saecli.records import KnockoutReport
from saecli.render import parts
from saecli.render.numbers import figure, interval, p_value, plural

ROUNDING = 1e-12  # of p times the family's size, as the rule allows for it


def verdict_lines(report: KnockoutReport) -> RenderableType:
    """The verdict, and what it rests on."""
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


def verdict_reasons(report: KnockoutReport) -> list[tuple[bool, str]]:
    """What the verdict rests on: whether it speaks for the hypothesis, and in words."""
    bound = -abs(report.smallest_effect)
    low, high = (float("nan") if end is None else end for end in report.ci)  # null where no number
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
            f"interest ({figure(bound)} nats)" + ": the margin rises" * (low > 0),
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
