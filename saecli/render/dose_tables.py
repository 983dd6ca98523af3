"""Dose and response in text: the curve beside pushes of its size, and what left at each dose."""

from rich.console import Group, RenderableType
from rich.text import Text

from saecli.records import DoseReport, KnockoutReport
from saecli.render import parts
from saecli.render.numbers import figure, interval, share, shares
from saecli.render.strips import Chart, Row


def dose_tables(report: KnockoutReport) -> RenderableType | None:
    """The doses of an experiment that has some."""
    if not report.doses:
        return None
    return Group(_curve(report, report.doses), Text(), _left(report, report.doses))


def amount(dose: DoseReport) -> str:
    """The dose in words."""
    return f"{dose.amount:g} ×".replace("-", "−")


def scale(doses: list[DoseReport]) -> str:
    """What the doses are multiples of."""
    return "largest activation" if doses[0].value.startswith("set") else "own activation"


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
        (
            f": the latents set to so many times their {scale(doses)}, effect in nats",
            parts.QUIET,
        ),
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
    names = {"target": f"of {report.class_}", "other": "of the others"}
    if not segmentation:
        names = {"from_class": report.class_}
        if report.expect is not None:
            names["to_expected"] = f"now {report.expect}"
    for name in names.values():
        parts.add_numbers(table, name)
        table.add_column("95 % interval", style=parts.QUIET, no_wrap=True)
    parts.add_numbers(table, "random directions" + " (both)" * segmentation)
    table.add_column("it, too", no_wrap=True)
    for dose in doses:
        found, limits = (
            (dose.changed, dose.changed_ci) if segmentation else (dose.flipped, dose.flipped_ci)
        )
        cells = []
        for key in names:
            cells += [share((found or {}).get(key)), shares((limits or {}).get(key))]
        pushed = dose.random_directions
        random = share(pushed.from_class)
        if segmentation:
            random = " / ".join(share(one) for one in (pushed.changed or {}).values())
        words = "yes" if pushed.enough else ""
        table.add_row(amount(dose), *cells, random, Text(words, style=parts.OPEN))
    legend = Text(
        "it, too: a random direction of that size moves the margin by the smallest effect of "
        "interest or more",
        style=parts.QUIET,
    )
    return Group(table, legend)
