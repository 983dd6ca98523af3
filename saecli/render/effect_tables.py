"""What an edit did beside its controls: effects, predictions that left, probabilities."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from saecli.records import ClassProbability, KnockoutReport
from saecli.render import parts
from saecli.render.arm_tables import NAMES, arm_rows, further_arms
from saecli.render.numbers import figure, interval, share, shares
from saecli.render.strips import Chart, Row

Shares = dict[str, float | None]
Limits = dict[str, list[float] | None]


def effects(report: KnockoutReport) -> RenderableType | None:
    """Each kind's effect on one axis, with the smallest effect of interest."""
    if report.effect is None:  # stored as null: an earlier saecli let a picture in without patches
        return None
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


def shares_left(report: KnockoutReport) -> RenderableType | None:
    """Which share of the pictures left the class, or of the patches changed theirs, by kind."""
    segmentation = report.changed is not None
    table = parts.table("Patches whose class changed" if segmentation else "Predictions that left")
    table.add_column("", no_wrap=True)
    names = {"target": f"of {report.class_}", "other": "of the others"}
    if not segmentation:
        names = {"from_class": report.class_}
        if report.expect is not None:
            names["to_expected"] = f"now {report.expect}"
    bars = not segmentation
    for place, name in enumerate(names.values()):
        parts.add_numbers(table, name)
        table.add_column("95 % interval", style=parts.QUIET, no_wrap=True)
        if bars and place == 0:
            table.add_column("", no_wrap=True, min_width=10)

    def add(name: str, found: Shares | None, limits: Limits | None) -> None:
        if not found:
            return
        row: list[RenderableType] = [Text(name)]
        for place, key in enumerate(names):
            row += [share(found.get(key)), shares((limits or {}).get(key))]
            if bars and place == 0:
                row.append(parts.bar(found.get(key) or 0.0, 1.0))
        table.add_row(*row)

    if segmentation:
        add("this edit", report.changed, report.changed_ci)
    else:
        add("this edit", report.flipped, report.flipped_ci)
    for kind, control in report.controls.items():
        add(_control(kind), control.changed if segmentation else control.flipped, None)
    for arm in further_arms(report):
        found, limits = (
            (arm.changed, arm.changed_ci) if segmentation else (arm.flipped, arm.flipped_ci)
        )
        add(_control(arm.kind), found, limits)
    return table if table.row_count else None


def probabilities(
    before: list[ClassProbability], after: list[ClassProbability]
) -> RenderableType | None:
    """The mean probability of each class before the edit and after it."""
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
