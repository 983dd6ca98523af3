"""An experiment on one screen: the hypothesis, the effect among its controls, the verdict."""

from rich.console import RenderableType
from rich.text import Text

from saecli.records import KnockoutReport
from saecli.render import parts
from saecli.render.arm_tables import meanings
from saecli.render.dose_tables import dose_tables
from saecli.render.effect_tables import effects, probabilities, shares_left
from saecli.render.numbers import plural
from saecli.render.verdict_lines import verdict_lines


def knockout_table(report: KnockoutReport) -> RenderableType:
    """What was claimed, what happened, and what the verdict rests on."""
    return parts.stack(
        hypothesis(report),
        verdict_lines(report),
        effects(report),
        shares_left(report),
        meanings(report),
        dose_tables(report),
        probabilities(report.before, report.after),
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
            parts.registration(report.registered, report.tested_before),
            None if report.replaces is None else f"replaces hypothesis {report.replaces}",
            plural(report.n_images, "picture"),
            parts.left_out(report.n_excluded, report.n_excluded_by_group),
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
