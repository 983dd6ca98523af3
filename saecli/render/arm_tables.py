"""Every kind of edit of an experiment beside the tested one, with what each is there for."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from saecli.records import ArmReport, KnockoutReport
from saecli.render import parts
from saecli.render.numbers import figure, interval, share
from saecli.render.strips import Row

NAMES = {
    "target": "this edit",
    "zero_edit": "zero edit",
    "other_latents": "other latents",
    "random_directions": "random directions",
    "own_knockout": "own knock-outs",
    "reconstruction": "reconstruction",
    "mean_ablation": "mean ablation",
    "twin": "twin pictures",
}
STYLES = {"twin": "magenta"}
DRAWN_APART = ("target", "zero_edit", "other_latents", "random_directions")


def further_arms(report: KnockoutReport) -> list[ArmReport]:
    """The kinds that the verdict doesn't rest on."""
    return [arm for arm in report.arms if arm.kind not in DRAWN_APART]


def arm_rows(report: KnockoutReport) -> list[Row]:
    """Their effects, for the chart."""
    rows = []
    for arm in further_arms(report):
        span = None if arm.ci is None else (arm.ci[0], arm.ci[1])
        spread = f" {interval(arm.ci)}" if arm.ci else f" ({arm.n})"
        note = figure(arm.effect) + spread
        rows.append(Row(NAMES[arm.kind], note, arm.effect, span, style=STYLES.get(arm.kind, "dim")))
    return rows


def meanings(report: KnockoutReport) -> RenderableType | None:
    """What each kind is there for, and how much of the twins' effect the edit achieves."""
    if not report.arms:
        return None
    table = Table.grid(padding=(0, 2))
    for arm in report.arms:
        if arm.kind != "target":
            table.add_row(Text(NAMES[arm.kind]), Text(arm.meaning, style=parts.QUIET))
    line = _ceiling(report)
    return table if line is None else Group(table, Text(), line)


def _ceiling(report: KnockoutReport) -> Text | None:
    if report.ceiling is None:
        return None
    achieved = report.ceiling.get("share")
    if achieved is None:
        return Text(
            "What the twin pictures do is not told apart from no effect: they are no ceiling.",
            style=parts.OPEN,
        )
    low, high = report.ceiling["share_ci"]
    return Text.assemble(
        "The edit achieves ",
        (share(achieved), parts.HEADING),
        f" [{share(low)}, {share(high)}] of what really changing it does.",
    )
