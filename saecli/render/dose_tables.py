"""Dose and response in text: the curve beside pushes of its size, and what left at each dose."""

from rich.console import Group, RenderableType
from rich.text import Text

from saecli.records import DoseReport, KnockoutReport
from saecli.render import parts
from saecli.render.numbers import figure, interval, share
from saecli.render.strips import Chart, Row


def dose_tables(report: KnockoutReport) -> RenderableType | None:
    """The doses of an experiment that has some."""
    if not report.doses:
        return None
    return Group(_curve(report, report.doses), Text(), _left(report, report.doses))


def amount(dose: DoseReport) -> str:
    """The dose in words."""
    kind = dose.value.partition(":")[0]
    words = "largest" if kind == "set" else "itself"
    return f"{figure(dose.amount, 2).rstrip('0').rstrip('.')} × {words}"


def _curve(report: KnockoutReport, doses: list[DoseReport]) -> RenderableType:
    rows = [
        Row(
            amount(dose),
            f"{figure(dose.effect)} {interval(dose.ci)}",
            dose.effect,
            (dose.ci[0], dose.ci[1]),
            dose.random_directions.effects,
            style="green",
        )
        for dose in doses
    ]
    title = Text.assemble(
        ("Dose and response", parts.HEADING),
        (", effect in nats of setting the latents to so many times their value", parts.QUIET),
    )
    legend = Text(
        f"━ 95 % interval   · {doses[0].random_directions.n} random directions of that size   "
        "╎ smallest effect of interest",
        style=parts.QUIET,
    )
    return Group(title, Chart(rows, mark=-abs(report.smallest_effect)), legend)


def _left(report: KnockoutReport, doses: list[DoseReport]) -> RenderableType:
    segmentation = report.changed is not None
    table = parts.table("Patches that changed" if segmentation else "Predictions that left")
    parts.add_numbers(table, "dose")
    if segmentation:
        parts.add_numbers(table, f"of {report.class_}", "of the others")
    else:
        parts.add_numbers(table, report.class_)
        if report.expect is not None:
            parts.add_numbers(table, f"now {report.expect}")
    parts.add_numbers(table, f"random: {report.class_} left")
    table.add_column("")
    for dose in doses:
        if segmentation:
            cells = [share((dose.changed or {}).get(side)) for side in ("target", "other")]
        else:
            cells = [share(dose.flipped["from_class"])]
            if report.expect is not None:
                cells.append(share(dose.flipped["to_expected"]))
        pushed = dose.random_directions
        words = "any push of this size has an effect" if pushed.enough else ""
        table.add_row(amount(dose), *cells, share(pushed.from_class), Text(words, style=parts.OPEN))
    return table
